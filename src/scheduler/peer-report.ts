/** What a peer tells about its download; none of it is answered. */
export type PeerReport =
  | { kind: 'started' }
  | { kind: 'back-to-source-started' }
  /** `parentId` is absent for a piece from the source. */
  | { kind: 'piece-finished'; costMs: number; parentId?: string | undefined }
  /** `temporary`: don't offer me this parent again. */
  | { kind: 'piece-failed'; parentId: string; temporary: boolean }
  | { kind: 'piece-from-source-failed' }
  | { kind: 'finished'; from: 'parents' | 'source' }
  | { kind: 'failed'; from: 'parents' | 'source'; description: string };
