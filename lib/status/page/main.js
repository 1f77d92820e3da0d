// Asks for a report every two seconds while someone can see the page, and hands it to those who draw.

/** @import { StatusReport } from '../status-report.ts' */

import { byId, setText } from './elements.js';
import { clock } from './format.js';
import { drawReport, showState } from './report.js';
import { offer, startTry } from './try.js';

const pollMs = 2000;
const answerMs = 5000;

let timer = 0;
/** @type {AbortController | undefined} */
let asking;
let answeredUs = 0;

async function poll() {
  clearTimeout(timer);
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  try {
    const signal = AbortSignal.any([mine.signal, AbortSignal.timeout(answerMs)]);
    const response = await fetch('status.json', { signal, cache: 'no-store' });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    take(await response.json());
  } catch {
    if (mine.signal.aborted) return;
    showState('bad', 'No answer');
    const since = answeredUs === 0 ? '' : ` What is shown is from ${clock(answeredUs)}.`;
    tell(`This server does not answer: trying again.${since}`);
  }
  if (!document.hidden) timer = setTimeout(poll, pollMs);
}

/** @param {StatusReport} report */
function take(report) {
  answeredUs = report.timeUs;
  tell('');
  drawReport(report);
  offer(report);
}

/** @param {string} text */
function tell(text) {
  const notice = byId('notice');
  setText(notice, text);
  notice.hidden = text === '';
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) clearTimeout(timer);
  else void poll();
});
startTry();
void poll();
