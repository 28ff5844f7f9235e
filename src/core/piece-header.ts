/** HTTP header that tells a child `crc32:<decimal>` of the piece it gets, when its range is exactly one; ours, not part of Dragonfly. */
export const PIECE_DIGEST_HEADER = 'Dfpeer-Piece-Digest';

/** HTTP header and gRPC metadata that tell a child which state of the origin's content it is given; ours as well. */
export const CONTENT_VERSION_HEADER = 'Dfpeer-Content-Version';
