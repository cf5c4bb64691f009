#ifndef CK_PARTIALS_H
#define CK_PARTIALS_H

#include "vector.h"

// Sums over rows are made in pieces whose number depends on the shape alone, and the pieces are
// added in order: the result does not depend on the number of threads.

enum { MAXIMUM_PIECES = 32, ROWS_PER_PIECE = 16 };

CK_INLINE int64_t piece_count(int64_t rows) {
  int64_t pieces = (rows + ROWS_PER_PIECE - 1) / ROWS_PER_PIECE;
  return pieces < 1 ? 1 : pieces > MAXIMUM_PIECES ? MAXIMUM_PIECES : pieces;
}

CK_INLINE int64_t piece_begin(int64_t rows, int64_t piece) {
  return rows * piece / piece_count(rows);
}

/// into = or += the sum of the pieces at partials[piece * stride ..].
void ck_sum_pieces(
    const float *partials, int64_t pieces, int64_t stride, int64_t columns, float *into,
    int32_t accumulates);

#endif
