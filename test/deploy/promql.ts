// What a PromQL expression asks for: its metrics, how they select labels, and the labels that it groups by. It reads
// tokens and is no parser of the language: enough to find a name that does not exist, a bracket that is not closed, or a
// function that Prometheus does not have.

/** One metric in an expression. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

/** What an expression asks for. */
export interface Query {
  readonly selectors: readonly Selector[];
  /** Of `by`, `without`, `on`, `ignoring` and what groups. */
  readonly groupLabels: readonly string[];
}

const aggregations = ['sum', 'min', 'max', 'avg', 'count', 'topk', 'bottomk', 'quantile', 'stddev'];
const functions = [
  'abs',
  'absent',
  'avg_over_time',
  'changes',
  'clamp_min',
  'delta',
  'deriv',
  'histogram_quantile',
  'increase',
  'irate',
  'max_over_time',
  'min_over_time',
  'predict_linear',
  'rate',
  'time',
];
const groupings = ['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'];
const words = ['and', 'or', 'unless', 'bool', 'offset'];

const token =
  /\s*(?:(?<string>"(?:[^"\\]|\\.)*")|(?<range>\[(?:\d+[smhdw]|\$__rate_interval|\$__range)(?::\d*[smhdw]?)?\])|(?<number>\d+(?:\.\d+)?)|(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?<operator>=~|!~|==|!=|<=|>=|[-+*/%^<>=])|(?<mark>[(){},]))/y;

/** Reads an expression. @throws Error that says what is wrong where. */
export function readQuery(text: string): Query {
  const tokens = tokensOf(text);
  const selectors: Selector[] = [];
  const groupLabels: string[] = [];
  const open: string[] = [];
  const fail = (what: string): never => {
    throw new Error(`${what} in: ${text}`);
  };
  for (let at = 0; at < tokens.length; at++) {
    const { kind, value } = tokens[at];
    if (value === '(') open.push(')');
    else if (value === ')' && open.pop() !== value) fail('a bracket too many');
    else if (value === '{' || value === '}') fail('a selector without a metric');
    if (kind !== 'name') continue;
    const next = tokens[at + 1]?.value;
    if (groupings.includes(value)) {
      if (next !== '(') fail(`no labels after ${value}`);
      for (at += 2; tokens[at]?.value !== ')'; at++) {
        if (tokens[at]?.kind === 'name') groupLabels.push(tokens[at].value);
        else if (tokens[at]?.value !== ',') fail('labels that do not end');
      }
    } else if (next === '(' || aggregations.includes(value)) {
      if (!aggregations.includes(value) && !functions.includes(value) && !words.includes(value))
        fail(`no function ${value}`);
    } else if (!words.includes(value)) {
      const matchers: Selector['matchers'][number][] = [];
      if (next === '{') {
        for (at += 2; tokens[at]?.value !== '}'; at += 3) {
          if (tokens[at]?.value === ',') at++;
          const [label, operator, match] = tokens.slice(at, at + 3);
          if (label?.kind !== 'name' || !/^(=|!=|=~|!~)$/.test(operator?.value) || match?.kind !== 'string')
            fail('a selector that is none');
          matchers.push({ label: label.value, operator: operator.value, value: JSON.parse(match.value) });
        }
      }
      selectors.push({ metric: value, matchers });
    }
  }
  if (open.length > 0) fail('a bracket that is not closed');
  return { selectors, groupLabels };
}

function tokensOf(text: string): { kind: string; value: string }[] {
  const tokens: { kind: string; value: string }[] = [];
  for (token.lastIndex = 0; text.slice(token.lastIndex).trim() !== ''; ) {
    const from = token.lastIndex;
    const groups = token.exec(text)?.groups;
    if (groups === undefined) throw new Error(`nothing that PromQL has at ${from} in: ${text}`);
    const [kind, value] = Object.entries(groups).find(([, found]) => found !== undefined) as [string, string];
    tokens.push({ kind, value });
  }
  return tokens;
}
