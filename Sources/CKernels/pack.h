#ifndef CK_PACK_H
#define CK_PACK_H

#include "ckernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// oneDNN's usual layout of the right factor of a product, `BA16a64b` or `BA16a64b2a`: blocks of 16
/// rows (16 pairs of rows in bf16, the elements of a pair side by side) and some columns.
typedef struct ck_blocks {
  int64_t rows, columns;
  /// Whether the source holds [columns, rows].
  int32_t transposed;
  ck_dtype type;
  int64_t padded_rows, block_columns;
  /// Elements from block to block.
  int64_t row_stride, column_stride;
} ck_blocks;

/// Rounds and rearranges in one pass over memory; fills what is padded with zeros.
void ck_pack_blocks(const ck_blocks *blocks, const float *source, void *target);

#ifdef __cplusplus
}
#endif

#endif
