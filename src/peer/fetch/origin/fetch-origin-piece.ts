import type { PieceSlice } from '../../../core/piece.js';
import { BlockWriter } from '../block-writer.js';
import type { FetchedPiece, OriginContent } from '../piece-fetcher.js';
import type { Transfer } from '../transfer.js';
import { lengthError, openOrigin, readBody } from './open-origin.js';
import type { OriginClient } from './origin-client.js';

export interface OriginPieceOrder {
  origin: OriginContent;
  slice: PieceSlice;
  path: string;
}

/** Brings one piece from the origin into the file. @throws as PieceFetcher.fromOrigin */
export async function fetchOriginPiece(
  { origin, slice, path }: OriginPieceOrder,
  client: OriginClient,
  transfer: Transfer,
): Promise<FetchedPiece> {
  await transfer.permitted(slice.length);
  const answer = await openOrigin({ origin, client, signal: transfer.signal, range: slice });
  let writer: BlockWriter | undefined;
  try {
    writer = new BlockWriter(path, slice, transfer.blocks);
    for (;;) {
      const chunks = await readBody(answer, writer.written);
      if (chunks === undefined) break;
      for (const chunk of chunks) {
        if (chunk.length > writer.remaining)
          throw lengthError(answer, `sends more than the ${slice.length} bytes asked`);
        writer.write(chunk);
        if (!transfer.received(chunk.length)) await transfer.permitted(writer.remaining);
      }
    }
    if (writer.remaining > 0) throw lengthError(answer, `sent ${writer.written} of the ${slice.length} bytes asked`);
    await transfer.permitted(0);
    writer.close();
    return { slice, digest: writer.digest, costMs: transfer.elapsedMs };
  } finally {
    answer.body.cancel();
    writer?.close();
  }
}
