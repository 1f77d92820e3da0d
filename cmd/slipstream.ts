#!/usr/bin/env node
// What starts the program, program.ts: as a process that is set up for the daemon, where it is the daemon.

import { leanProcess } from './lean-process.ts';

// Before the program is loaded, which is most of a start. The daemon has no word before its flags, or that of one of several machines;
// the commands have others.
const [word = ''] = process.argv.slice(2);
if (/^(?:ingest|serve|)$/.test(word) || /^-(?!-?(?:h|help|V|version)$)/.test(word)) leanProcess();
await import('./program.ts');
