import { expect, it } from 'vitest';
import { prefersHtml } from '../../lib/status/page-choice.ts';

it.each([
  // What Chromium, Firefox and Safari send for a page.
  'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'text/html',
  'TEXT/HTML; charset=utf-8',
  'text/plain;q=0.5, text/html;q=0.6',
  '*/*;q=0.1 , text/html;q=0.2',
  'text/html;q=0.9,text/*;q=0.8,*/*',
])('the page is for %s', (accept) => {
  expect(prefersHtml(accept)).toBe(true);
});

it.each([
  undefined,
  '',
  '*/*',
  'text/*',
  'text/plain',
  'application/json',
  'text/html, text/plain',
  'text/html;q=0.5, */*',
  'text/html;q=0, */*;q=0',
  'text/html;q=0.5, text/plain;q=0.9, */*;q=0.1',
  'text/html;q=nonsense',
  'text/html;q=2',
  'text/htmlx',
  'constructor, __proto__',
])('v1’s text is for %j', (accept) => {
  expect(prefersHtml(accept)).toBe(false);
});
