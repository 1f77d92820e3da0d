// Loaded into the daemon before its own code: puts its wall clock CRASH_CLOCK_MS milliseconds ahead, or behind when that
// is negative, as a machine does whose clock is set while the daemon is down.

const offsetMs = Number(process.env.CRASH_CLOCK_MS);
const now = Date.now;
Date.now = () => now() + offsetMs;
