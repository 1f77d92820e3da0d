// The alert rules, read from the one form of YAML that the file keeps to: anything else in it is an error.

import { readFileSync } from 'node:fs';

/** One rule. */
export interface AlertRule {
  readonly name: string;
  readonly expr: string;
  readonly for: string | undefined;
  readonly severity: string;
  readonly summary: string;
}

const quoted = (name: string): string => `(?<${name}>'[^'\\n]+'|"[^"\\\\\\n]+")`;
const rulePattern = new RegExp(
  [
    ' {6}- alert: (?<name>\\w+)\n',
    ` {8}expr: ${quoted('expr')}\n`,
    '(?: {8}for: (?<for>\\d+[smhd])\n)?',
    ' {8}labels:\n {10}severity: (?<severity>\\w+)\n',
    ` {8}annotations:\n {10}summary: ${quoted('summary')}\n`,
  ].join(''),
  'y',
);

/** Reads a file of deploy/prometheus. @throws Error where it is not as expected. */
export function readAlertRules(name = 'alerts.yml'): AlertRule[] {
  const path = new URL(`../../deploy/prometheus/${name}`, import.meta.url);
  const [, head, body] = /^((?:#.*\n)+groups:\n {2}- name: [\w-]+\n {4}rules:\n)([\s\S]*)$/.exec(
    readFileSync(path, 'utf8'),
  ) ?? ['', '', ''];
  if (head === '') throw new Error('the file does not begin with a comment and one group');
  const rules: AlertRule[] = [];
  for (rulePattern.lastIndex = 0; rulePattern.lastIndex < body.length; ) {
    const from = rulePattern.lastIndex;
    const groups = rulePattern.exec(body)?.groups;
    if (groups === undefined) throw new Error(`no rule: ${body.slice(from, from + 200)}`);
    rules.push({
      name: groups.name,
      expr: groups.expr.slice(1, -1),
      for: groups.for,
      severity: groups.severity,
      summary: groups.summary.slice(1, -1),
    });
  }
  return rules;
}
