// The machines of a cluster: who writes, who is behind, and pauses; absent on a machine alone.

/** @import { StatusReport } from '../status-report.ts' */

import { byId, element, fitChildren, setText } from './elements.js';
import { count, duration } from './format.js';

/** Behind by less than this is what lies between two reports. */
const behindMsMin = 3_000;
const roleWords = { both: 'serves, can write', ingest: 'can write', serve: 'serves' };

/** @param {StatusReport['cluster']} cluster */
export function drawCluster(cluster) {
  byId('cluster').hidden = cluster === null;
  if (cluster === null) return;
  const { node: own, nodes } = cluster;
  setText(byId('cluster-lead'), leadOf(cluster));
  const body = byId('cluster-nodes');
  fitChildren(body, nodes.length, () => {
    const row = element('tr');
    row.append(element('td'), element('td'), element('td', '', 'number'));
    return row;
  });
  nodes.forEach((node, at) => {
    const cells = body.children[at].children;
    setText(cells[0], node.node === own ? `${nameOf(own)} (this one)` : nameOf(node.node));
    setText(
      cells[1],
      node.isWriting ? `writes${pausesOf(node)}` : `${roleWords[node.role]}${pausesOf(node)}`,
    );
    setText(cells[2], behindOf(node));
  });
}

/**
 * The beginning of a machine's name is enough among a few.
 * @param {string} node
 */
export function nameOf(node) {
  return node.slice(0, 6);
}

/** @param {NonNullable<StatusReport['cluster']>} cluster */
function leadOf({ isConnected, heardMs, writer }) {
  const heard = heardMs === null ? '' : `, heard of ${duration(heardMs)} ago`;
  if (!isConnected) return `The NATS servers cannot be reached${heard}: this machine serves what it has.`;
  return writer === null
    ? 'Nobody writes at the moment: one of them will.'
    : `${nameOf(writer)} reads the relay and writes; all others follow.`;
}

/** @param {NonNullable<StatusReport['cluster']>['nodes'][number]} node */
function pausesOf({ pauses, longestPauseMs }) {
  if (pauses === 0) return '';
  return `; ${count(pauses)} ${pauses === 1 ? 'pause' : 'pauses'}, up to ${duration(longestPauseMs)}`;
}

/** @param {NonNullable<StatusReport['cluster']>['nodes'][number]} node */
function behindOf({ behindMs, isCaughtUp }) {
  if (behindMs >= behindMsMin) return duration(behindMs);
  return isCaughtUp ? 'nothing' : 'looking';
}
