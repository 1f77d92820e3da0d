// What the daemon tells everybody about itself: one plain object, made once a second by lib/monitor/status-reporter.ts,
// served as `/status.json`, drawn by the page. It can be cloned to worker threads and written as JSON. It names no client
// and no account: relays, collections and reasons are the only texts in it.

/** The state of the daemon at one moment. Rates are per second; those without another word forget over half a minute. */
export interface StatusReport {
  /** When it was made, in microseconds since 1970, on the clock that events are stamped with. */
  readonly timeUs: number;
  readonly version: string;
  /** The page of whoever runs the server (`--about-url`); null when they name none. */
  readonly aboutUrl: string | null;
  readonly uptimeMs: number;
  /** Threads that serve subscribers; 0: the main thread does. */
  readonly workers: number;
  /** Resident memory of the process. */
  readonly memoryBytes: number;
  readonly memory: MemoryReport;
  readonly events: EventReport;
  readonly upstream: UpstreamReport;
  readonly log: LogReport;
  readonly compression: CompressionReport;
  readonly subscribers: SubscriberReport;
  readonly drops: DropReport;
  readonly coverage: CoverageReport;
  /** Null where commits are not checked. */
  readonly verification: VerificationReport | null;
}

/** What was found of commits before their events were stored, since start. */
export interface VerificationReport {
  readonly commits: number;
  /** From the best to the worst; those without any are left out. */
  readonly verdicts: readonly VerdictCount[];
  /** Of all that are neither verified nor anchored, most frequent first. */
  readonly reasons: readonly ReasonCount[];
  /** Whether the thread that checks still runs. */
  readonly isUp: boolean;
  /** Whether what is refuted is left out; null where it never is. */
  readonly isArmed: boolean | null;
  /** Frames that wait for a key, or for a second look. */
  readonly waiting: number;
  /** Commits that were left out. */
  readonly dropped: number;
}

export interface VerdictCount {
  readonly verdict: string;
  readonly count: number;
}

/** Where memory is. Parts overlap: heaps, what is outside of them and LevelDB's are anonymous, and that is resident. */
export interface MemoryReport {
  readonly residentBytes: number;
  /** What is in no file; null where the system does not tell, as all that may be null. */
  readonly anonymousBytes: number | null;
  /** V8's heaps of all threads, without their youngest objects, and what lies outside of them and is held from there. */
  readonly heapBytes: number;
  readonly externalBytes: number;
  /** LevelDB's caches and what it has not written to tables. */
  readonly databaseBytes: number;
  /** The kernel's, of TCP: of this process's cgroup, or of its whole network namespace, which may be the machine's. */
  readonly socketBytes: number | null;
  readonly socketsOf: 'cgroup' | 'network_namespace' | null;
  /** Anonymous memory and socket buffers: what has to be given back. */
  readonly totalBytes: number;
  /** What it may be, of which cgroup or the machine, and what is used of that by all that counts for it. */
  readonly limitOf: 'cgroup_v2' | 'cgroup_v1' | 'machine';
  readonly limitBytes: number;
  readonly limitedBytes: number | null;
}

/** Events as they come in. */
export interface EventReport {
  /** Since start. */
  readonly total: number;
  /** Mean of the last five seconds. */
  readonly perSecond: number;
  /** Events of each of the last seconds, at most sixty, oldest first. */
  readonly history: readonly number[];
  /** Every kind, in the order of their numbers. */
  readonly kinds: readonly NamedRate[];
  /** Every operation of commits. */
  readonly operations: readonly NamedRate[];
  /** The busiest collections, at most twenty, busiest first. */
  readonly collections: readonly NamedRate[];
  /** Events with a collection that is not among them. */
  readonly otherCollectionsPerSecond: number;
}

/** Something that is counted, and how often it comes. */
export interface NamedRate {
  readonly name: string;
  readonly perSecond: number;
}

/** The relay that is followed. */
export interface UpstreamReport {
  /** Relays that are tried in turn; never empty. */
  readonly relays: readonly string[];
  /** The one that is connected; null while none is. */
  readonly relay: string | null;
  readonly connectedSinceUs: number | null;
  /** Why none is connected; null while one is, and before the first attempt has ended. */
  readonly failure: RelayFailure | null;
  /** Last stored sequence of the relay that is connected, or was last; null when it has none yet. */
  readonly sequence: number | null;
  /** Now minus the time that the newest frame carries; null before the first. */
  readonly lagMs: number | null;
  /** Why nothing is stored at the moment, as an error code (LOG_DISK_FULL); null while all is well. */
  readonly stalled: string | null;
}

/** How the last attempt to connect to a relay ended. */
export interface RelayFailure {
  readonly relay: string;
  /** As the label `reason` of `slipstream_upstream_disconnects_total`. */
  readonly reason: string;
  /** The relay that is tried next, which may be the same. */
  readonly next: string;
  /** When, on the clock of the report; in the past while it is being tried. */
  readonly retryAtUs: number;
}

/** What can be replayed. */
export interface LogReport {
  /** `time_us` of the oldest and of the newest event; 0 in an empty log. */
  readonly firstTimeUs: number;
  readonly lastTimeUs: number;
  readonly events: number;
  readonly bytes: number;
  /** What is kept at most; 0 is no limit. */
  readonly retentionMs: number;
  readonly retentionBytes: number;
}

/** The compressed copy of the events. */
export interface CompressionReport {
  /** zstd bytes for a byte of JSON, in recent blocks; null before the first event. */
  readonly ratio: number | null;
  readonly compressor: string;
  /** Id of the dictionary, as in `/dictionaries/<id>`. */
  readonly dictionaryId: number;
  /** Id of the current one of the second wire, as in `getZstdDictionary?id=<id>`. */
  readonly v2DictionaryId: number;
}

/** All subscribers together. */
export interface SubscriberReport {
  readonly connected: number;
  /** Of those, at the newest event or ahead of it. */
  readonly live: number;
  /** Of those, behind it; what is left has not sent its hello (`requireHello`) yet. */
  readonly catchingUp: number;
  /** How far the slowest is behind the newest event; 0 when all are live. */
  readonly slowestLagMs: number;
  readonly eventsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Since start. */
  readonly events: number;
  readonly bytes: number;
  /** Requests that were refused since start, by reason; reasons without any are left out. */
  readonly refusals: readonly ReasonCount[];
}

/** What came from the relay and is not in the log. */
export interface DropReport {
  /** Since start. */
  readonly total: number;
  /** Since start, most frequent first; reasons without any are left out. */
  readonly reasons: readonly ReasonCount[];
  /** The last ones, newest first, at most twenty: how many for one reason within a second. */
  readonly last: readonly Drop[];
}

/** Where the log may lack events, or have some twice: the newest rows of `/coverage`. */
export interface CoverageReport {
  /** Newest first, at most twenty. */
  readonly last: readonly CoverageEntry[];
}

export interface CoverageEntry extends ReasonCount {
  /** Null for what has nothing to do with one. */
  readonly relay: string | null;
  /** `time_us` between which it lies; the first is 0 when there was no event before. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly missing: boolean;
  readonly repeated: boolean;
}

export interface ReasonCount {
  readonly reason: string;
  readonly count: number;
}

export interface Drop extends ReasonCount {
  readonly timeUs: number;
}
