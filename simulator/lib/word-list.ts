// Made-up vocabulary of synthetic posts: syllable words in several scripts, and emoji that need surrogates, joiners,
// modifiers and flags. Nobody wrote these texts; they only have the byte widths and shapes of real ones.

/** Words of one script, and how often a post is written in it. */
export interface Script {
  readonly language: string;
  readonly weight: number;
  readonly separator: string;
  readonly words: readonly string[];
}

const latin =
  'lorak misu tavel ondre pilka sorun dema kavo brill entu fasko guli hemra ista jorv kelmo lunta marvi nosk obel ' +
  'pratu quen rilso staver tomu ulda venk wisto xander yolm zutra cori dapple emi frond glint hush ivo jale krit ' +
  'lomb moss nard opal pent quill rusk silt thrum umber vole wend yarrow zest arvo bast cleft drum eave fern grove';

/** Scripts in the order of how often they occur. */
export const scripts: readonly Script[] = [
  { language: 'en', weight: 62, separator: ' ', words: latin.split(' ') },
  {
    language: 'ja',
    weight: 14,
    separator: '',
    words:
      'かなもり そらゆき みずたば ほしのね カタリ ユメノ 木々 水音 山風 花火 ねむい です、 ました。 ーー'.split(
        ' ',
      ),
  },
  {
    language: 'pt',
    weight: 9,
    separator: ' ',
    words: 'coração manhã ação não então põe três avô útil içar lã vêm água órgão fé'.split(' '),
  },
  {
    language: 'ko',
    weight: 5,
    separator: ' ',
    words: '가람 나루 다솜 라온 마루 바다 사랑 아침 자리 하늘 구름 노을'.split(' '),
  },
  {
    language: 'uk',
    weight: 4,
    separator: ' ',
    words: 'вітер ліс мова їжак зоря поле річка ґанок день ніч трава'.split(' '),
  },
  {
    language: 'ar',
    weight: 3,
    separator: ' ',
    words: 'قمر شمس بحر ريح كتاب نور ليل مطر سماء'.split(' '),
  },
  {
    language: 'hi',
    weight: 2,
    separator: ' ',
    words: 'नदी आकाश पर्वत वर्षा फूल रात्रि दीपक'.split(' '),
  },
  {
    language: 'th',
    weight: 1,
    separator: '',
    words: 'ฟ้า น้ำ ดาว ลม ป่า ทะเล'.split(' '),
  },
];

/** Emoji: one code point, with a variation selector, joined, with a skin tone, a flag, a keycap. */
export const emoji: readonly string[] = ['😀', '🔥', '✨', '❤️', '👩‍🚀', '👍🏽', '🏳️‍🌈', '🇺🇳', '7️⃣', '𝔖', '🫠'];

/** Pieces that a JSON writer has to escape, or must not. */
export const awkward: readonly string[] = [
  '"quoted"',
  'back\\slash',
  '<b>&amp;</b>',
  'tab\there',
  'line\nbreak',
  'cr\r\nlf',
  'sep\u2028para\u2029',
  'del\u007f',
  'bell\u0007\b\f',
  'slash/and/slash',
  'replacement \ufffd',
  'e\u0301 combining',
  'zero\u200bwidth',
];
