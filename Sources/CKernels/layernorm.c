#include <math.h>

#include "parallel.h"
#include "partials.h"
#include "vector.h"

#define FOR_COLUMNS(columns)                                                     \
  for (int64_t j = 0, lanes;                                                     \
       lanes = (columns)-j < LANES ? (columns)-j : LANES, j < (columns); j += LANES)

// Ones in the lanes that exist.
CK_INLINE vfloat lanes_mask(int64_t lanes) {
  vint index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return choose(index < (int32_t)lanes, splat(1.f), splat(0.f));
}

typedef struct {
  ck_dtype type;
  const void *x, *dy;
  const float *weight, *bias;
  float epsilon;
  int64_t rows, columns;
  void *out;
  float *mean, *rstd;
  float *partials;
  int32_t sums;
} arguments;

CK_INLINE void forward_rows(const arguments *w, int64_t begin, int64_t end, ck_dtype type) {
  for (int64_t row = begin; row < end; row++) {
    int64_t base = row * w->columns;
    vfloat sum = splat(0.f);
    FOR_COLUMNS(w->columns) sum += load_some(type, w->x, base + j, lanes);
    float mean = sum_lanes(sum) / (float)w->columns;
    vfloat squares = splat(0.f);
    FOR_COLUMNS(w->columns) {
      vfloat d = load_some(type, w->x, base + j, lanes) - splat(mean);
      if (lanes < LANES) d *= lanes_mask(lanes);
      squares += d * d;
    }
    float rstd = 1 / sqrtf(sum_lanes(squares) / (float)w->columns + w->epsilon);
    FOR_COLUMNS(w->columns) {
      vfloat normalized = (load_some(type, w->x, base + j, lanes) - splat(mean)) * splat(rstd);
      vfloat y = normalized * load_some(CK_F32, w->weight, j, lanes) +
                 load_some(CK_F32, w->bias, j, lanes);
      store_some(type, w->out, base + j, lanes, y);
    }
    w->mean[row] = mean;
    w->rstd[row] = rstd;
  }
}

CK_CLONES static void forward_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  if (w->type == CK_F32) {
    forward_rows(w, begin, end, CK_F32);
  } else {
    forward_rows(w, begin, end, CK_BF16);
  }
}

void ck_layer_norm(
    ck_dtype type, const void *x, const float *weight, const float *bias, float epsilon, int64_t rows,
    int64_t columns, void *y, float *mean, float *rstd) {
  arguments work = {.type = type, .x = x, .weight = weight, .bias = bias, .epsilon = epsilon,
                    .rows = rows, .columns = columns, .out = y, .mean = mean, .rstd = rstd};
  ck_parallel(rows, rows * columns, forward_body, &work);
}

// With n = (x - mean)·rstd and g = dy·weight: dx = rstd (g - mean(g) - n mean(g·n)).
CK_INLINE void backward_rows(
    const arguments *w, int64_t begin, int64_t end, ck_dtype type, float *dweight, float *dbias) {
  float inverse = 1 / (float)w->columns;
  for (int64_t row = begin; row < end; row++) {
    int64_t base = row * w->columns;
    vfloat mean = splat(w->mean[row]), rstd = splat(w->rstd[row]);
    vfloat sum_g = splat(0.f), sum_gn = splat(0.f);
    FOR_COLUMNS(w->columns) {
      vfloat n = (load_some(type, w->x, base + j, lanes) - mean) * rstd;
      vfloat dy = load_some(type, w->dy, base + j, lanes);
      vfloat g = dy * load_some(CK_F32, w->weight, j, lanes);
      sum_g += g;
      sum_gn += g * n;
      if (dweight) {
        store_some(CK_F32, dweight, j, lanes, load_some(CK_F32, dweight, j, lanes) + dy * n);
        store_some(CK_F32, dbias, j, lanes, load_some(CK_F32, dbias, j, lanes) + dy);
      }
    }
    if (!w->out) continue;
    vfloat mean_g = splat(sum_lanes(sum_g) * inverse);
    vfloat mean_gn = splat(sum_lanes(sum_gn) * inverse);
    FOR_COLUMNS(w->columns) {
      vfloat n = (load_some(type, w->x, base + j, lanes) - mean) * rstd;
      vfloat g =
          load_some(type, w->dy, base + j, lanes) * load_some(CK_F32, w->weight, j, lanes);
      store_some(type, w->out, base + j, lanes, rstd * (g - mean_g - n * mean_gn));
    }
  }
}

CK_CLONES static void backward_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t piece = begin; piece < end; piece++) {
    int64_t first = piece_begin(w->rows, piece), last = piece_begin(w->rows, piece + 1);
    float *dweight = NULL, *dbias = NULL;
    if (w->sums) {
      dweight = w->partials + piece * 2 * w->columns;
      dbias = dweight + w->columns;
      memset(dweight, 0, (size_t)w->columns * 2 * sizeof(float));
    }
    if (w->type == CK_F32) {
      backward_rows(w, first, last, CK_F32, dweight, dbias);
    } else {
      backward_rows(w, first, last, CK_BF16, dweight, dbias);
    }
  }
}

void ck_layer_norm_backward(
    ck_dtype type, const void *x, const void *dy, const float *weight, const float *mean,
    const float *rstd, int64_t rows, int64_t columns, void *dx, float *dweight, float *dbias,
    int32_t accumulates_weight, int32_t accumulates_bias, float *partials) {
  // The statistics are read only; the record is shared with the forward pass, which writes them.
  arguments work = {.type = type, .x = x, .dy = dy, .weight = weight, .rows = rows,
                    .columns = columns, .out = dx, .mean = (float *)mean, .rstd = (float *)rstd,
                    .partials = partials, .sums = dweight || dbias};
  int64_t pieces = piece_count(rows);
  ck_parallel(pieces, rows * columns * 2, backward_body, &work);
  if (dweight) ck_sum_pieces(partials, pieces, 2 * columns, columns, dweight, accumulates_weight);
  if (dbias) {
    ck_sum_pieces(partials + columns, pieces, 2 * columns, columns, dbias, accumulates_bias);
  }
}

typedef struct {
  ck_dtype type;
  const void *x;
  const float *y, *dy;
  float *norms;
  int64_t columns;
  void *out;
} unit_arguments;

CK_INLINE void normalize_rows(const unit_arguments *w, int64_t begin, int64_t end, ck_dtype type) {
  for (int64_t row = begin; row < end; row++) {
    int64_t base = row * w->columns;
    vfloat squares = splat(0.f);
    FOR_COLUMNS(w->columns) {
      vfloat x = load_some(type, w->x, base + j, lanes);
      squares += x * x;
    }
    float norm = sqrtf(sum_lanes(squares));
    w->norms[row] = norm;
    // Written so that NaN stays NaN.
    vfloat divisor = splat(norm < 1e-12f ? 1e-12f : norm);
    FOR_COLUMNS(w->columns) {
      store_some(CK_F32, w->out, base + j, lanes, load_some(type, w->x, base + j, lanes) / divisor);
    }
  }
}

CK_CLONES static void normalize_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const unit_arguments *w = context;
  if (w->type == CK_F32) {
    normalize_rows(w, begin, end, CK_F32);
  } else {
    normalize_rows(w, begin, end, CK_BF16);
  }
}

void ck_normalize_rows(
    ck_dtype type, const void *x, int64_t rows, int64_t columns, float *y, float *norms) {
  unit_arguments work = {.type = type, .x = x, .norms = norms, .columns = columns, .out = y};
  ck_parallel(rows, rows * columns, normalize_body, &work);
}

// dx = (dy - y (y·dy)) / norm; where the norm was clamped, y is linear in x and the term vanishes.
CK_INLINE void normalize_backward_rows(
    const unit_arguments *w, int64_t begin, int64_t end, ck_dtype type) {
  for (int64_t row = begin; row < end; row++) {
    int64_t base = row * w->columns;
    vfloat products = splat(0.f);
    FOR_COLUMNS(w->columns) {
      products += load_some(CK_F32, w->y, base + j, lanes) *
                  load_some(CK_F32, w->dy, base + j, lanes);
    }
    int clamped = w->norms[row] < 1e-12f;
    vfloat projection = splat(clamped ? 0 : sum_lanes(products));
    vfloat divisor = splat(clamped ? 1e-12f : w->norms[row]);
    FOR_COLUMNS(w->columns) {
      vfloat dx = load_some(CK_F32, w->dy, base + j, lanes) -
                  load_some(CK_F32, w->y, base + j, lanes) * projection;
      store_some(type, w->out, base + j, lanes, dx / divisor);
    }
  }
}

CK_CLONES static void normalize_backward_body(
    void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const unit_arguments *w = context;
  if (w->type == CK_F32) {
    normalize_backward_rows(w, begin, end, CK_F32);
  } else {
    normalize_backward_rows(w, begin, end, CK_BF16);
  }
}

void ck_normalize_rows_backward(
    ck_dtype type, const float *y, const float *norms, const float *dy, int64_t rows,
    int64_t columns, void *dx) {
  unit_arguments work = {.type = type, .y = y, .dy = dy, .norms = (float *)norms,
                         .columns = columns, .out = dx};
  ck_parallel(rows, rows * columns, normalize_backward_body, &work);
}
