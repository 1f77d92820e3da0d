// One source file as the architecture tests see it: what it imports, its functions with their lengths, its comments. Read
// from the syntax tree, so that strings and comments are not taken for code.

import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { parseSync } from 'vite';

/** A function or method; `lines` from its head to its end. */
export interface FunctionSize {
  readonly name: string;
  readonly lines: number;
}

/** See the file comment. */
export interface Source {
  readonly text: string;
  readonly lines: number;
  /** Relative imports as they are written, types and dynamic ones included. */
  readonly files: readonly string[];
  /** Packages of others, by name. */
  readonly packages: readonly string[];
  readonly functions: readonly FunctionSize[];
  readonly comments: readonly string[];
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Reads a file. Throws when it does not parse. */
export function readSource(path: string): Source {
  const text = readFileSync(path, 'utf8');
  const { program, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  const imports: string[] = [];
  const functions: FunctionSize[] = [];
  const linesOf = ({ start, end }: Node): number => text.slice(start, end).split('\n').length;
  const visit = (node: Node, name: string): void => {
    const given = nameOf(node) ?? name;
    const target = importOf(node);
    if (target !== undefined) imports.push(target);
    if (/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) {
      functions.push({ name: given, lines: linesOf(node) });
    }
    for (const child of childrenOf(node)) visit(child, given);
  };
  visit(program as unknown as Node, '');
  return {
    text,
    lines: text.split('\n').length - 1,
    files: imports.filter((name) => name.startsWith('.')),
    packages: imports.filter(isPackage).map(packageOf),
    functions,
    comments: comments.map(({ value }) => value),
  };
}

/** What a node imports: statements, `import()`, types, and `require`, `resolve` and `new URL` of a constant. */
function importOf(node: Node): string | undefined {
  const { source, callee } = node as unknown as { source?: Node; callee?: Node };
  if (/^(Import|Export)/.test(node.type) && source?.type === 'Literal') return String(source.value);
  if (node.type === 'TSImportType') return String((node.source as Node).value);
  if (node.type !== 'CallExpression') return undefined;
  const called = (callee?.property as Node | undefined)?.name ?? callee?.name;
  const [first] = node.arguments as Node[];
  const loads = ['require', 'resolve', 'load'].includes(String(called));
  const isConstant = first?.type === 'Literal' && typeof first.value === 'string';
  return loads && isConstant && /^[@\w]/.test(String(first.value)) ? String(first.value) : undefined;
}

function nameOf(node: Node): string | undefined {
  const { id, key } = node as unknown as { id?: Node | null; key?: Node };
  const name = id?.name ?? key?.name;
  return typeof name === 'string' ? name : undefined;
}

function* childrenOf(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child === 'object' && child !== null && 'type' in child) yield child as Node;
    }
  }
}

function isPackage(name: string): boolean {
  return !name.startsWith('.') && !name.startsWith('node:') && !builtinModules.includes(name);
}

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}
