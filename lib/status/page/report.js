// Draws a status report into the page. Called with each one; keeps nothing between two.

/** @import { NamedRate, StatusReport } from '../status-report.ts' */

import { drawChart } from './chart.js';
import { byId, element, fillList, fitChildren, setText } from './elements.js';
import { drawFacts, failureText } from './facts.js';
import { clock, count, duration, moment, percent, rate, words } from './format.js';

/** Behind the relay by more than this is catching up. */
const liveLagMs = 30_000;

/** @param {StatusReport} report */
export function drawReport(report) {
  const { events, upstream } = report;
  const perSecond = steadyRate(events);
  setText(byId('rate'), rate(perSecond));
  document.title = `${rate(perSecond)}/s · Slipstream`;
  drawChart(events.history);
  fillList(byId('kinds'), events.kinds.map(pair));
  fillList(byId('operations'), events.operations.map(pair));
  drawState(upstream);
  drawTiles(report);
  drawCollections(report);
  drawFacts(report);
  drawDrops(report.drops);
  drawCoverage(report.coverage);
  drawVerification(report.verification);
  drawAbout(report);
}

/** Seconds that the headline is the mean of: less jumps with every pause of the relay. */
const steadySeconds = 10;

/** @param {StatusReport['events']} events */
function steadyRate({ history, perSecond }) {
  const last = history.slice(-steadySeconds);
  return last.length === 0 ? perSecond : last.reduce((sum, value) => sum + value, 0) / last.length;
}

/** @param {StatusReport} report */
function drawAbout({ version, uptimeMs, aboutUrl, log }) {
  setText(byId('about'), `Slipstream ${version} · up ${duration(uptimeMs)}`);
  const windowMs = (log.lastTimeUs - log.firstTimeUs) / 1000;
  const span = duration(windowMs).replaceAll(' ', '\u00a0');
  setText(byId('again'), log.events === 0 ? '' : `, or again from up to ${span} ago`);
  const link = byId('about-link');
  // Checked by the server too; here nothing else can become a link.
  link.hidden = aboutUrl === null || !/^https?:/.test(aboutUrl);
  if (!link.hidden) link.setAttribute('href', String(aboutUrl));
}

/**
 * Shows how it goes in a word.
 * @param {'good' | 'wait' | 'bad'} level
 * @param {string} text
 */
export function showState(level, text) {
  byId('state').dataset.level = level;
  setText(byId('state-text'), text);
}

/**
 * @param {NamedRate} named
 * @returns {[string, string]}
 */
function pair({ name, perSecond }) {
  return [name, rate(perSecond)];
}

/** @param {StatusReport['upstream']} upstream */
function drawState({ relay, lagMs, stalled }) {
  if (stalled !== null)
    showState('bad', stalled === 'LOG_DISK_FULL' ? 'Disk full: waiting' : 'Waiting to store');
  else if (relay === null) showState('bad', 'No relay');
  else if (lagMs !== null && lagMs > liveLagMs) showState('wait', 'Catching up');
  else showState('good', 'Live');
}

/** @param {StatusReport} report */
function drawTiles({ upstream, subscribers, log, compression, timeUs }) {
  setText(byId('tile-lag'), upstream.lagMs === null ? '–' : duration(upstream.lagMs));
  setText(byId('tile-relay'), upstream.relay ?? failureText(upstream, timeUs));
  setText(byId('tile-subscribers'), count(subscribers.connected));
  setText(byId('tile-live'), liveness(subscribers));
  setText(byId('tile-window'), log.events === 0 ? '–' : duration((log.lastTimeUs - log.firstTimeUs) / 1000));
  setText(byId('tile-events'), `${count(log.events)} events`);
  setText(byId('tile-ratio'), compression.ratio === null ? '–' : percent(compression.ratio));
}

/** @param {StatusReport['subscribers']} subscribers */
function liveness({ connected, catchingUp }) {
  if (connected === 0) return 'none connected';
  return catchingUp === 0 ? 'none behind' : `${count(catchingUp)} catching up`;
}

/** @param {StatusReport} report */
function drawCollections({ events }) {
  const { collections, otherCollectionsPerSecond: others } = events;
  const rows = [...collections, ...(others > 0 ? [{ name: 'all others', perSecond: others }] : [])];
  const total = rows.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const body = byId('collections');
  if (rows.length === 0) return;
  if (body.querySelector('.empty')) body.replaceChildren();
  fitChildren(body, rows.length, collectionRow);
  rows.forEach(({ name, perSecond }, at) => {
    const row = /** @type {HTMLElement} */ (body.children[at]);
    const [nameCell, rateCell, shareCell] = row.children;
    row.classList.toggle('rest', at === collections.length);
    setName(/** @type {Element} */ (nameCell.firstElementChild), name);
    setText(rateCell, rate(perSecond));
    setText(shareCell, percent(perSecond / total));
    row.style.setProperty('--share', `${((perSecond / total) * 100).toFixed(1)}%`);
  });
}

/**
 * Sets a dotted name, which may be broken after its dots.
 * @param {Element} target
 * @param {string} name
 */
function setName(target, name) {
  if (target.textContent === name) return;
  target.replaceChildren(...name.split(/(?<=\.)/).flatMap((part) => [part, element('wbr')]));
}

function collectionRow() {
  const row = element('tr');
  const name = element('th');
  name.setAttribute('scope', 'row');
  name.append(element('bdi'));
  row.append(name, element('td', '', 'number'), element('td', '', 'number'));
  return row;
}

/** @param {StatusReport['drops']['reasons'][number]} reason */
function reasonText({ reason, count: times }) {
  return `${count(times)} ${words(reason)}`;
}

/** @param {StatusReport['drops']} drops */
function drawDrops({ total, reasons, last }) {
  const what =
    total === 0 ? 'Nothing: the log holds all that the relay sent.' : reasons.map(reasonText).join(', ');
  setText(byId('drops-total'), total === 0 ? what : `${count(total)} since start: ${what}.`);
  byId('drops-table').hidden = last.length === 0;
  const body = byId('drops');
  fitChildren(body, last.length, () => {
    const row = element('tr');
    row.append(element('td'), element('td'), element('td', '', 'number'));
    return row;
  });
  last.forEach(({ timeUs, reason, count: times }, at) => {
    const cells = body.children[at].children;
    setText(cells[0], clock(timeUs));
    setText(cells[1], words(reason));
    setText(cells[2], count(times));
  });
}

/** What happened, in plain words; a reason that is not among them is shown as it is. */
const gapWords = new Map([
  ['relay_gap', 'The relay went on far above what came last'],
  ['new_numbering', 'The relay numbers its frames anew'],
  ['relay_changed', 'Another relay is followed'],
  ['started_over', 'The relay has lost its history'],
  ['set_back', 'The relay was asked for older events again'],
  ['frame_skipped', 'A frame that broke every connection was stepped over'],
  ['frame_dropped', 'Frames could not be used'],
  ['log_cut', 'The end of the log was lost'],
  ['log_damaged', 'A part of the log was damaged'],
  ['clock_step', 'The clock of this server was set'],
  ['refuted_commit', 'A commit is not what its account signed'],
  ['commit_dropped', 'A commit that its account has not signed was left out'],
  ['broken_chain', 'Commits of an account did not come'],
]);

/** @param {StatusReport['coverage']} coverage */
function drawCoverage({ last }) {
  setText(
    byId('coverage-lead'),
    last.length === 0
      ? 'None: what the relay sent since the oldest event is here, once.'
      : 'Where events may be missing, or have come twice.',
  );
  byId('coverage-table').hidden = last.length === 0;
  const body = byId('coverage');
  fitChildren(body, last.length, () => {
    const row = element('tr');
    row.append(element('td'), element('td'), element('td'));
    return row;
  });
  last.forEach((entry, at) => {
    const cells = body.children[at].children;
    setText(cells[0], moment(entry.toUs));
    setText(cells[1], gapText(entry));
    setText(cells[2], effectOf(entry));
  });
}

/** @param {StatusReport['coverage']['last'][number]} entry */
function gapText({ reason, relay, count: times }) {
  const what = gapWords.get(reason) ?? words(reason);
  const where = relay === null ? '' : ` (${relay})`;
  return `${what}${where}${times === 1 ? '' : `, ${count(times)} times`}`;
}

/** @param {StatusReport['coverage']['last'][number]} entry */
function effectOf({ reason, missing, repeated }) {
  if (reason === 'refuted_commit' || reason === 'commit_dropped') return 'nothing';
  if (missing) return repeated ? 'missing or twice' : 'missing';
  return repeated ? 'twice' : 'times are off';
}

/**
 * There is nothing to see where nothing is checked.
 * @param {StatusReport['verification']} found
 */
function drawVerification(found) {
  byId('verification').hidden = found === null;
  if (found === null) return;
  const { commits, verdicts, reasons, isUp, isArmed, waiting, dropped } = found;
  const shares = verdicts.map(({ verdict, count: times }) => `${percent(times / commits)} ${verdict}`);
  const lead =
    commits === 0
      ? 'No commit has come yet.'
      : `${count(commits)} commits since start: ${shares.join(', ')}.`;
  const left = `${count(dropped)} were left out, ${count(waiting)} frames wait.`;
  const disarmed = 'None is left out at the moment: too many cannot be checked.';
  const enforced = isArmed === null ? '' : ` ${left}${isArmed ? '' : ` ${disarmed}`}`;
  const ended = isUp ? '' : ' The check has ended: nothing is checked any more.';
  setText(byId('verification-lead'), `${lead}${enforced}${ended}`);
  byId('verification-table').hidden = reasons.length === 0;
  const body = byId('verification-reasons');
  fitChildren(body, reasons.length, () => {
    const row = element('tr');
    row.append(element('td'), element('td', '', 'number'));
    return row;
  });
  reasons.forEach(({ reason, count: times }, at) => {
    const cells = body.children[at].children;
    setText(cells[0], words(reason));
    setText(cells[1], count(times));
  });
}
