/** Packets of the crate vortex-protocol 0.1.5 and of live exchanges between Dragonfly's own programs (2.1 to 2.3 of the wire transcript). */
const TEST_TASK = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const LIVE_TASK = '6da70f44fc737572ea904fb1dba286de04da44b779d68365a2526d7defa8fde1';
const ABSENT_TASK = '89037ff53202666248bbea3e289db48d12d3c1be530a2e4ea204bca11cd76815';

const ascii = (text: string): string => Buffer.from(text).toString('hex');

export const requestVectors = [
  { hex: `000000000044${ascii(TEST_TASK)}00000007`, packetId: 0, tag: 0, taskId: TEST_TASK, pieceNumber: 7 },
  { hex: `c10200000044${ascii(TEST_TASK)}00000007`, packetId: 0xc1, tag: 2, taskId: TEST_TASK, pieceNumber: 7 },
  { hex: `240400000044${ascii(TEST_TASK)}00000007`, packetId: 0x24, tag: 4, taskId: TEST_TASK, pieceNumber: 7 },
  { hex: `da0000000044${ascii(LIVE_TASK)}00000005`, packetId: 0xda, tag: 0, taskId: LIVE_TASK, pieceNumber: 5 },
  { hex: `280000000044${ascii(LIVE_TASK)}00000000`, packetId: 0x28, tag: 0, taskId: LIVE_TASK, pieceNumber: 0 },
  { hex: `9e0000000044${ascii(ABSENT_TASK)}0001869f`, packetId: 0x9e, tag: 0, taskId: ABSENT_TASK, pieceNumber: 99999 },
] as const;

export const contentVectors = [
  {
    hex: '3801000000500000004c000000070000000001c0000000000000004000000000001063726333323a313437353633353033370000000f31302e302e302e312d682d75756964010000000000000002000000006553f100',
    packetId: 0x38,
    metadata: {
      ...{ number: 7, offset: 29_360_128, length: 4_194_304, digest: 'crc32:1475635037', parentId: '10.0.0.1-h-uuid' },
      ...{ trafficType: 1, costSeconds: 2, createdAtSeconds: 1_700_000_000 },
    },
  },
  {
    hex: 'b401000000410000003d00000005000000000140000000000000000000010000001063726333323a3138313235393435383900000000010000000000000000000000006b010b39',
    packetId: 0xb4,
    metadata: {
      ...{ number: 5, offset: 20_971_520, length: 1, digest: 'crc32:1812594589', parentId: '' },
      ...{ trafficType: 1, costSeconds: 0, createdAtSeconds: 1_795_230_521 },
    },
  },
  {
    hex: 'a2010000003f0000003b00000000000000000000000000000000004000000000000e63726333323a353431323036303500000000010000000000000000000000006b010b39',
    packetId: 0xa2,
    metadata: {
      ...{ number: 0, offset: 0, length: 4_194_304, digest: 'crc32:54120605', parentId: '' },
      ...{ trafficType: 1, costSeconds: 0, createdAtSeconds: 1_795_230_521 },
    },
  },
];

export const errorVectors = [
  {
    hex: `31ff0000005302${ascii(`piece ${TEST_TASK}-7 not found`)}`,
    packetId: 0x31,
    message: `piece ${TEST_TASK}-7 not found`,
  },
  {
    hex: `8fff0000005702${ascii(`piece ${ABSENT_TASK}-99999 not found`)}`,
    packetId: 0x8f,
    message: `piece ${ABSENT_TASK}-99999 not found`,
  },
];

export const closeVector = { hex: '84fe00000000', packetId: 0x84 };
