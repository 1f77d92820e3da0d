// The simulated relay of a benchmark as a process: frames of a file over and over, at a rate that lines on its standard
// input change (`rate N`, frames a second; `Infinity` is as many as the fastest reader takes; `publish N`: so many at once). It
// answers every line with `head N`, the frames published so far, and ends with its input. servers.ts starts it.

import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { FramePool } from '../simulator/lib/frame-pool.ts';
import { readFrames } from '../simulator/lib/frames-file.ts';
import { RelayServer } from '../simulator/lib/relay-server.ts';

const { values } = parseArgs({
  options: {
    'frames-file': { type: 'string' },
    port: { type: 'string', default: '0' },
    rate: { type: 'string', default: '0' },
    backlog: { type: 'string', default: '0' },
  },
});
const relay = await RelayServer.listen({
  source: FramePool.fromFrames(await readFrames(values['frames-file'] as string)),
  port: Number(values.port),
  framesPerSecond: Number(values.rate),
  backlogFrames: Number(values.backlog),
});
console.log(`relay listening ${relay.url}`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('rate ')) relay.setRate(Number(line.slice(5)));
  if (line.startsWith('publish ')) await relay.publish(Number(line.slice(8)));
  console.log(`head ${relay.head}`);
}
process.exit();
