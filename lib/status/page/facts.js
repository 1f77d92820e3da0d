// The lists of facts: relay, log, subscribers and server; and why no relay is connected, in words.

/** @import { StatusReport } from '../status-report.ts' */

import { nameOf } from './cluster.js';
import { byId, fillList, setText } from './elements.js';
import { bytes, clock, count, duration, moment, rate, words } from './format.js';

/** @param {StatusReport} report */
export function drawFacts(report) {
  drawRelay(report);
  drawLog(report);
  drawSubscribers(report.subscribers);
  drawServer(report);
}

/** Reasons of lib/upstream/disconnect-reason.ts; one that is not among them is shown as it is. */
const failureWords = new Map([
  ['dns', 'no DNS answer'],
  ['unreachable', 'cannot be reached'],
  ['tls', 'TLS failed'],
  ['refused', 'refused the connection'],
  ['handshake', 'does not speak WebSocket'],
  ['handshake_timeout', 'did not answer in time'],
  ['closed', 'closed the connection'],
  ['dropped', 'the connection broke'],
  ['protocol', 'broke the protocol'],
  ['oversize', 'sent too large a message'],
  ['silent', 'stopped answering'],
  ['nothing_new', 'sent nothing new'],
  ['requested', 'reconnecting'],
]);

/**
 * Why no relay is connected, and what is next.
 * @param {StatusReport['upstream']} upstream
 * @param {number} timeUs now
 */
function failureText({ failure, relays }, timeUs) {
  if (failure === null) return `${relays[0]}: connecting`;
  const { relay, reason, next, retryAtUs } = failure;
  const seconds = Math.ceil((retryAtUs - timeUs) / 1e6);
  const when = seconds <= 0 ? 'now' : `in ${seconds < 60 ? `${seconds} s` : duration(seconds * 1000)}`;
  const then = next === relay ? `again ${when}` : `${next} ${when}`;
  return `${relay}: ${failureWords.get(reason) ?? words(reason)}, ${then}`;
}

/**
 * Where events come from: a relay, or the machine that writes.
 * @param {StatusReport} report
 */
export function sourceText({ upstream, cluster, timeUs }) {
  if (upstream.relay !== null) return upstream.relay;
  const writer = cluster === null || cluster.writer === cluster.node ? null : cluster.writer;
  return writer === null ? failureText(upstream, timeUs) : `by way of ${nameOf(writer)}`;
}

/** @param {StatusReport} report */
function drawRelay(report) {
  const { upstream, cluster, timeUs } = report;
  const { relay, relays, connectedSinceUs, failure, sequence } = upstream;
  const isNamed = (/** @type {string} */ id) => id === relay || (relay === null && id === failure?.relay);
  const left = relays.filter((id) => !isNamed(id));
  fillList(byId('relay'), [
    relay === null
      ? [cluster === null ? 'Not connected' : 'Read', sourceText(report)]
      : ['Connected to', relay],
    ...row('Since', connectedSinceUs === null ? [] : [since(connectedSinceUs, timeUs)]),
    ['Sequence', sequence === null ? '–' : String(sequence)],
    ...row('Alternatives', relays.length === 1 ? [] : left),
  ]);
}

/** @param {StatusReport} report */
function drawLog({ log, compression }) {
  fillList(byId('log'), [
    ['Oldest event', log.firstTimeUs === 0 ? '–' : moment(log.firstTimeUs)],
    ['Newest event', log.lastTimeUs === 0 ? '–' : clock(log.lastTimeUs)],
    ['Stored', `${bytes(log.bytes)}${log.retentionBytes === 0 ? '' : ` of ${bytes(log.retentionBytes)}`}`],
    ['Kept for', log.retentionMs === 0 ? 'as long as there is room' : duration(log.retentionMs)],
    ['Compressed by', `${compression.compressor} zstd, dictionary ${compression.dictionaryId}`],
  ]);
}

/** @param {StatusReport['subscribers']} subscribers */
function drawSubscribers(subscribers) {
  const { refusals } = subscribers;
  fillList(byId('subscribers'), [
    ['Live', `${count(subscribers.live)} of ${count(subscribers.connected)}`],
    ['Slowest is behind', subscribers.slowestLagMs === 0 ? 'nothing' : duration(subscribers.slowestLagMs)],
    ['Sent', `${rate(subscribers.eventsPerSecond)} events/s, ${bytes(subscribers.bytesPerSecond)}/s`],
    ['Sent since start', `${count(subscribers.events)} events, ${bytes(subscribers.bytes)}`],
  ]);
  byId('refused').hidden = refusals.length === 0;
  setText(byId('refused-total'), count(refusals.reduce((sum, { count: times }) => sum + times, 0)));
  fillList(
    byId('refusals'),
    refusals.map(({ reason, count: times }) => [words(reason), count(times)]),
  );
}

const limitWords = { cgroup_v2: 'container', cgroup_v1: 'container', machine: 'machine' };

/** @param {StatusReport} report */
function drawServer({ version, uptimeMs, workers, memory }) {
  const { residentBytes, anonymousBytes, limitOf, limitBytes, limitedBytes } = memory;
  const own = anonymousBytes ?? residentBytes;
  fillList(byId('server'), [
    ['Version', version],
    ['Up', duration(uptimeMs)],
    ['Memory, own', bytes(own)],
    ...row('Memory, mapped files', anonymousBytes === null ? [] : [bytes(Math.max(0, residentBytes - own))]),
    ...row(
      `Memory, ${limitWords[limitOf]}`,
      limitedBytes === null ? [] : [`${bytes(limitedBytes)} of ${bytes(limitBytes)}`],
    ),
    ['Threads for subscribers', workers === 0 ? 'none of their own' : String(workers)],
  ]);
}

/**
 * @param {number} us
 * @param {number} nowUs
 */
function since(us, nowUs) {
  return `${moment(us)} (${duration((nowUs - us) / 1000)})`;
}

/**
 * A row, unless there is nothing in it.
 * @param {string} term
 * @param {readonly string[]} values
 * @returns {[string, string][]}
 */
function row(term, values) {
  return values.length === 0 ? [] : [[term, values.join(', ')]];
}
