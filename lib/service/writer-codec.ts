// The compressors of the thread that writes the log: the one of what subscribers get, and the journal's. Workers open their own.

import { chooseCompressor } from '../codec/choose-compressor.ts';
import { type Compressor, compressionLevels } from '../codec/compressor.ts';
import type { Config } from '../config/config.ts';
import type { Logger } from '../logger.ts';
import { type Codec, openCodec } from '../worker/codec.ts';

/** See the file comment. */
export interface WriterCodec extends Codec {
  /** Of blocks in the journal, which are hardly ever read: without a dictionary, and at the level that takes least. */
  readonly journalCompressor: Compressor;
  close(): void;
}

/** Chooses the compressor, and says why if it is not Node's. */
export async function openWriterCodec(config: Config, logger: Logger): Promise<WriterCodec> {
  const codec = await openCodec(config, (dictionary) =>
    chooseCompressor(config.compressor, dictionary, config.zstdLevel, ({ code, message }) =>
      logger.info({ code }, message),
    ),
  );
  const journalCompressor = codec.compressor.withDictionary(undefined, compressionLevels.min);
  const close = (): void => {
    codec.compressor.close();
    journalCompressor.close();
  };
  return { ...codec, journalCompressor, close };
}
