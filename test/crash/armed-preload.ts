// Loaded before the daemon, in its threads too: what is refuted is left out from the first commit on.

import { Arming } from '../../lib/verifier/arming.ts';

Object.defineProperty(Arming.prototype, 'isArmed', { get: () => true });
