#include "pack.h"

#include "parallel.h"
#include "transpose.h"

typedef struct {
  const ck_blocks *blocks;
  const float *source;
  void *target;
} arguments;

// Sixteen pairs of elements (k, k + 1) of a row-major source.
CK_INLINE vuint read_pairs_across(
    const ck_blocks *b, const float *source, int64_t k, int64_t n, int64_t lanes) {
  vuint even = {0}, odd = {0};
  if (k < b->rows) {
    even = __builtin_convertvector(
        narrow16(load_some(CK_F32, source, k * b->columns + n, lanes)), vuint);
  }
  if (k + 1 < b->rows) {
    odd = __builtin_convertvector(
        narrow16(load_some(CK_F32, source, (k + 1) * b->columns + n, lanes)), vuint);
  }
  return even | odd << 16;
}

// Up to 32 elements of one column, which are side by side when the source is transposed.
CK_INLINE vuint read_pairs_along(const ck_blocks *b, const float *source, int64_t k, int64_t n) {
  int64_t left = n < b->columns ? b->rows - k : 0, index = n * b->rows + k;
  vhalf first = {0}, second = {0};
  if (left > 0) first = narrow16(load_some(CK_F32, source, index, left));
  if (left > LANES) second = narrow16(load_some(CK_F32, source, index + LANES, left - LANES));
  vuint result;
  memcpy(&result, &first, sizeof first);
  memcpy((char *)&result + sizeof first, &second, sizeof second);
  return result;
}

// One tile of 16 columns and 16 rows of 32-bit units: elements, or pairs of bf16.
CK_INLINE void pack_tile(
    const ck_blocks *b, const float *source, int64_t k, int64_t n, uint32_t *target) {
  int64_t units = b->type == CK_BF16 ? 2 : 1;
  vuint tile[LANES];
  CK_UNROLL
  for (int i = 0; i < LANES; i++) {
    int64_t lanes = b->columns - n, row = k + i * units;
    if (!b->transposed && units == 2) {
      tile[i] = lanes > 0 ? read_pairs_across(b, source, row, n, lanes) : (vuint){0};
    } else if (!b->transposed) {
      tile[i] = lanes > 0 && row < b->rows
                    ? (vuint)load_some(CK_F32, source, row * b->columns + n, lanes)
                    : (vuint){0};
    } else if (units == 2) {
      tile[i] = read_pairs_along(b, source, k, n + i);
    } else {
      tile[i] = n + i < b->columns
                    ? (vuint)load_some(CK_F32, source, (n + i) * b->rows + k, b->rows - k)
                    : (vuint){0};
    }
  }
  if (b->transposed) transpose16(tile);
  CK_UNROLL
  for (int i = 0; i < LANES; i++) {
    memcpy(target + i * b->block_columns, &tile[i], sizeof tile[i]);
  }
}

// Tiles in the order of the source's rows: down the block's rows where it is transposed, across its
// columns where it is not.
CK_INLINE void pack_block(const arguments *w, int64_t block) {
  const ck_blocks b = *w->blocks;
  int64_t units = b.type == CK_BF16 ? 2 : 1, depth = LANES * units;
  uint32_t *target = (uint32_t *)w->target + block * b.column_stride / units;
  int64_t down = b.padded_rows / depth, across = b.block_columns / LANES;
  for (int64_t i = 0; i < down * across; i++) {
    int64_t k = b.transposed ? i % down : i / across, n = b.transposed ? i / down : i % across;
    pack_tile(
        &b, w->source, k * depth, block * b.block_columns + n * LANES,
        target + k * b.row_stride / units + n * LANES);
  }
}

CK_CLONES static void body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  for (int64_t block = begin; block < end; block++) pack_block(context, block);
}

void ck_pack_blocks(const ck_blocks *blocks, const float *source, void *target) {
  arguments work = {blocks, source, target};
  int64_t count = (blocks->columns + blocks->block_columns - 1) / blocks->block_columns;
  ck_parallel(count, blocks->rows * blocks->columns, body, &work);
}
