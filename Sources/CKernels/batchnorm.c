#include <math.h>

#include "parallel.h"
#include "partials.h"
#include "vector.h"

typedef struct {
  ck_dtype type;
  const void *x, *dy;
  const float *p, *q;
  const float *scale, *shift;
  int32_t relu;
  int64_t rows, columns;
  void *out;
  float *partials;
} arguments;

// Sums of x - x[0] and of its square: the first row as pivot keeps the subtraction of E[x]² benign.
CK_INLINE void statistics_rows(
    const arguments *w, int64_t begin, int64_t end, ck_dtype type, float *sums) {
  memset(sums, 0, (size_t)w->columns * 2 * sizeof(float));
  for (int64_t row = begin; row < end; row++) {
    for (int64_t j = 0; j < w->columns; j += LANES) {
      int64_t lanes = w->columns - j < LANES ? w->columns - j : LANES;
      vfloat d = load_some(type, w->x, row * w->columns + j, lanes) -
                 load_some(type, w->x, j, lanes);
      store_some(CK_F32, sums, j, lanes, load_some(CK_F32, sums, j, lanes) + d);
      int64_t k = w->columns + j;
      store_some(CK_F32, sums, k, lanes, load_some(CK_F32, sums, k, lanes) + d * d);
    }
  }
}

CK_CLONES static void statistics_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t piece = begin; piece < end; piece++) {
    int64_t first = piece_begin(w->rows, piece), last = piece_begin(w->rows, piece + 1);
    float *sums = w->partials + piece * 2 * w->columns;
    if (w->type == CK_F32) {
      statistics_rows(w, first, last, CK_F32, sums);
    } else {
      statistics_rows(w, first, last, CK_BF16, sums);
    }
  }
}

void ck_batch_statistics(
    ck_dtype type, const void *x, int64_t rows, int64_t columns, float *mean, float *variance,
    float *partials) {
  arguments work = {.type = type, .x = x, .rows = rows, .columns = columns, .partials = partials};
  int64_t pieces = piece_count(rows);
  ck_parallel(pieces, rows * columns, statistics_body, &work);
  for (int64_t j = 0; j < columns; j++) {
    double sum = 0, squares = 0;
    for (int64_t piece = 0; piece < pieces; piece++) {
      sum += partials[piece * 2 * columns + j];
      squares += partials[piece * 2 * columns + columns + j];
    }
    double offset = sum / (double)rows, spread = squares / (double)rows - offset * offset;
    float pivot = type == CK_F32 ? ((const float *)x)[j] : widen(((const uint16_t *)x)[j]);
    mean[j] = (float)(pivot + offset);
    variance[j] = (float)(spread < 0 ? 0 : spread);
  }
}

CK_INLINE vfloat positive(vfloat x) { return choose((vint)(x < splat(0.f)), splat(0.f), x); }

CK_INLINE void scale_rows(const arguments *w, int64_t begin, int64_t end, ck_dtype type) {
  for (int64_t row = begin; row < end; row++) {
    for (int64_t j = 0; j < w->columns; j += LANES) {
      int64_t lanes = w->columns - j < LANES ? w->columns - j : LANES;
      int64_t index = row * w->columns + j;
      vfloat y = load_some(type, w->x, index, lanes) * load_some(CK_F32, w->p, j, lanes) +
                 load_some(CK_F32, w->q, j, lanes);
      store_some(type, w->out, index, lanes, w->relu ? positive(y) : y);
    }
  }
}

CK_CLONES static void scale_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  if (w->type == CK_F32) {
    scale_rows(w, begin, end, CK_F32);
  } else {
    scale_rows(w, begin, end, CK_BF16);
  }
}

void ck_scale_shift(
    ck_dtype type, const void *x, const float *scale, const float *shift, int32_t relu,
    int64_t rows, int64_t columns, void *y) {
  arguments work = {.type = type, .x = x, .p = scale, .q = shift, .relu = relu, .rows = rows,
                    .columns = columns, .out = y};
  ck_parallel(rows, rows * columns, scale_body, &work);
}

// The gradient before the ReLU, whose sign is computed again.
CK_INLINE vfloat gradient(
    const arguments *w, vfloat x, int64_t index, int64_t j, int64_t lanes, ck_dtype type) {
  vfloat dy = load_some(type, w->dy, index, lanes);
  if (!w->relu) return dy;
  vfloat y = x * load_some(CK_F32, w->scale, j, lanes) + load_some(CK_F32, w->shift, j, lanes);
  return choose((vint)(y > splat(0.f)), dy, splat(0.f));
}

CK_INLINE void reduce_rows(
    const arguments *w, int64_t begin, int64_t end, ck_dtype type, float *sums) {
  memset(sums, 0, (size_t)w->columns * 2 * sizeof(float));
  for (int64_t row = begin; row < end; row++) {
    for (int64_t j = 0; j < w->columns; j += LANES) {
      int64_t lanes = w->columns - j < LANES ? w->columns - j : LANES;
      int64_t index = row * w->columns + j, k = w->columns + j;
      vfloat x = load_some(type, w->x, index, lanes);
      vfloat g = gradient(w, x, index, j, lanes, type);
      vfloat n = (x - load_some(CK_F32, w->p, j, lanes)) * load_some(CK_F32, w->q, j, lanes);
      store_some(CK_F32, sums, j, lanes, load_some(CK_F32, sums, j, lanes) + g);
      store_some(CK_F32, sums, k, lanes, load_some(CK_F32, sums, k, lanes) + g * n);
    }
  }
}

CK_CLONES static void reduce_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t piece = begin; piece < end; piece++) {
    int64_t first = piece_begin(w->rows, piece), last = piece_begin(w->rows, piece + 1);
    float *sums = w->partials + piece * 2 * w->columns;
    if (w->type == CK_F32) {
      reduce_rows(w, first, last, CK_F32, sums);
    } else {
      reduce_rows(w, first, last, CK_BF16, sums);
    }
  }
}

void ck_batch_norm_reduce(
    ck_dtype type, const void *x, const void *dy, const float *mean, const float *rstd,
    const float *scale, const float *shift, int32_t relu, int64_t rows, int64_t columns,
    float *sum_dy, float *sum_dy_x, float *partials) {
  arguments work = {.type = type, .x = x, .dy = dy, .p = mean, .q = rstd, .scale = scale,
                    .shift = shift, .relu = relu, .rows = rows, .columns = columns,
                    .partials = partials};
  int64_t pieces = piece_count(rows);
  ck_parallel(pieces, rows * columns, reduce_body, &work);
  ck_sum_pieces(partials, pieces, 2 * columns, columns, sum_dy, 0);
  ck_sum_pieces(partials + columns, pieces, 2 * columns, columns, sum_dy_x, 0);
}

CK_INLINE void backward_rows(const arguments *w, int64_t begin, int64_t end, ck_dtype type) {
  for (int64_t row = begin; row < end; row++) {
    for (int64_t j = 0; j < w->columns; j += LANES) {
      int64_t lanes = w->columns - j < LANES ? w->columns - j : LANES;
      int64_t index = row * w->columns + j;
      vfloat x = load_some(type, w->x, index, lanes);
      vfloat dx = load_some(CK_F32, w->scale, j, lanes) * gradient(w, x, index, j, lanes, type) +
                  load_some(CK_F32, w->p, j, lanes) * x + load_some(CK_F32, w->q, j, lanes);
      store_some(type, w->out, index, lanes, dx);
    }
  }
}

CK_CLONES static void backward_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  if (w->type == CK_F32) {
    backward_rows(w, begin, end, CK_F32);
  } else {
    backward_rows(w, begin, end, CK_BF16);
  }
}

void ck_batch_norm_backward(
    ck_dtype type, const void *x, const void *dy, const float *scale, const float *shift,
    int32_t relu, const float *b, const float *c, int64_t rows, int64_t columns, void *dx) {
  arguments work = {.type = type, .x = x, .dy = dy, .p = b, .q = c, .scale = scale,
                    .shift = shift, .relu = relu, .rows = rows, .columns = columns, .out = dx};
  ck_parallel(rows, rows * columns, backward_body, &work);
}
