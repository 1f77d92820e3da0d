// Shapes of `app.bsky.feed.post`: text in several scripts with facets whose byte ranges are right, replies, languages
// and embeds with blobs. Called by record-maker.ts.

import type { SeededRandom } from '../../lib/seeded-random.ts';
import { contentLink } from './frame-encoder.ts';
import type { RecordContext, RecordValue } from './record-context.ts';
import { awkward, emoji, type Script, scripts } from './word-list.ts';

const textBytesMax = 3000;
const scriptWeights = scripts.reduce((total, script) => total + script.weight, 0);

function pickScript(random: SeededRandom): Script {
  let at = random.float() * scriptWeights;
  for (const script of scripts) {
    at -= script.weight;
    if (at < 0) {
      return script;
    }
  }
  return scripts[0];
}

/** Words of a random script. */
export function phrase(random: SeededRandom, words: number): string {
  const script = pickScript(random);
  return Array.from({ length: words }, () => random.pick(script.words)).join(script.separator);
}

/** A blob reference to content that does not exist. @param bytesMax upper bound of the claimed size. */
export function blob(random: SeededRandom, mimeType: string, bytesMax: number): RecordValue {
  return { $type: 'blob', ref: contentLink(random.bytes(32)), mimeType, size: random.between(900, bytesMax) };
}

/** Text under construction, and the facets found on the way. */
class PostText {
  text = '';
  readonly facets: RecordValue[] = [];

  /** Appends text that a facet covers. */
  addFacet(text: string, feature: RecordValue): void {
    const byteStart = Buffer.byteLength(this.text);
    this.text += text;
    this.facets.push({
      index: { byteStart, byteEnd: byteStart + Buffer.byteLength(text) },
      features: [feature],
    });
  }
}

function writeText(context: RecordContext, script: Script): PostText {
  const { random } = context;
  const post = new PostText();
  const words = Math.min(1 + Math.floor(random.float() ** 2 * 60), 60);
  for (let i = 0; i < words && post.text.length < textBytesMax / 4; i++) {
    if (i > 0) {
      post.text += script.separator;
    }
    const kind = random.int(100);
    if (kind < 90) {
      post.text += random.pick(script.words);
    } else if (kind < 93) {
      post.text += random.pick(emoji);
    } else if (kind < 95) {
      const tag = random.pick(script.words);
      post.addFacet(`#${tag}`, { $type: 'app.bsky.richtext.facet#tag', tag });
    } else if (kind < 96) {
      const did = context.someDid();
      post.addFacet(`@${did.slice(8, 14)}.sim.test`, { $type: 'app.bsky.richtext.facet#mention', did });
    } else if (kind < 98) {
      const uri = `https://example.com/${random.text('abcdefgh-/?=&%', 24)}`;
      post.addFacet(uri.slice(8, 26), { $type: 'app.bsky.richtext.facet#link', uri });
    } else {
      post.text += random.chance(0.3) ? random.pick(awkward) : '\n';
    }
  }
  return post;
}

function images(random: SeededRandom): RecordValue {
  return {
    $type: 'app.bsky.embed.images',
    images: Array.from({ length: random.between(1, 4) }, () => ({
      alt: random.chance(0.4) ? phrase(random, random.between(3, 25)) : '',
      image: blob(random, 'image/jpeg', 980_000),
      aspectRatio: { width: random.between(200, 2000), height: random.between(200, 2000) },
    })),
  };
}

function external(random: SeededRandom): RecordValue {
  const card: RecordValue = {
    uri: `https://example.org/${random.text('abcdefghijklmnop0123456789-', 40)}`,
    title: phrase(random, random.between(3, 12)),
    description: phrase(random, random.between(0, 40)),
  };
  if (random.chance(0.8)) {
    card.thumb = blob(random, 'image/jpeg', 400_000);
  }
  return { $type: 'app.bsky.embed.external', external: card };
}

function embed(context: RecordContext): RecordValue {
  const { random } = context;
  const kind = random.int(100);
  if (kind < 45) {
    return images(random);
  }
  if (kind < 70) {
    return external(random);
  }
  if (kind < 85) {
    return { $type: 'app.bsky.embed.record', record: context.somePost() };
  }
  if (kind < 93) {
    const record = { $type: 'app.bsky.embed.record', record: context.somePost() };
    return { $type: 'app.bsky.embed.recordWithMedia', record, media: images(random) };
  }
  return {
    $type: 'app.bsky.embed.video',
    video: blob(random, 'video/mp4', 40_000_000),
    aspectRatio: { width: 1080, height: 1920 },
  };
}

/** A post. */
export function makePost(context: RecordContext): RecordValue {
  const { random } = context;
  const script = pickScript(random);
  const { text, facets } = writeText(context, script);
  const record: RecordValue = {
    $type: 'app.bsky.feed.post',
    text,
    createdAt: context.createdAt,
    langs: random.chance(0.05) ? [script.language, 'en-GB'] : [script.language],
  };
  if (facets.length > 0) {
    record.facets = facets;
  }
  if (random.chance(0.35)) {
    record.embed = embed(context);
  }
  if (random.chance(0.45)) {
    const root = context.somePost();
    record.reply = { root, parent: random.chance(0.5) ? root : context.somePost() };
  }
  if (random.chance(0.02)) {
    record.labels = { $type: 'com.atproto.label.defs#selfLabels', values: [{ val: 'graphic-media' }] };
  }
  return record;
}
