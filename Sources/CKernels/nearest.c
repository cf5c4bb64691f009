#include <math.h>

#include "ckernels.h"
#include "parallel.h"
#include "vector.h"

typedef struct {
  const float *products, *squares;
  const int32_t *excluded;
  int64_t columns, first, k;
  float *distances;
  int32_t *indices;
} selection;

/// Inserts a candidate into the ascending list of the k smallest; earlier indices win ties.
CK_INLINE void insert(float value, int32_t index, int64_t k, float *distances, int32_t *indices) {
  int64_t slot = k - 1;
  while (slot > 0 && distances[slot - 1] > value) {
    distances[slot] = distances[slot - 1];
    indices[slot] = indices[slot - 1];
    --slot;
  }
  distances[slot] = value;
  indices[slot] = index;
}

CK_CLONES static void select_rows(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const selection *s = context;
  for (int64_t row = begin; row < end; ++row) {
    const float *product = s->products + row * s->columns;
    float *distances = s->distances + row * s->k;
    int32_t *indices = s->indices + row * s->k;
    int64_t excluded = (int64_t)s->excluded[row] - s->first;
    float worst = distances[s->k - 1];
    int64_t column = 0;
    while (column < s->columns) {
      // A block is dismissed as one; few hold a better candidate.
      if (column + LANES <= s->columns) {
        int32_t closer = 0;
        for (int lane = 0; lane < LANES; ++lane)
          closer |= s->squares[column + lane] - 2.0f * product[column + lane] < worst;
        if (!closer) {
          column += LANES;
          continue;
        }
      }
      int64_t stop = column + LANES < s->columns ? column + LANES : s->columns;
      for (; column < stop; ++column) {
        float value = s->squares[column] - 2.0f * product[column];
        if (value < worst && column != excluded) {
          insert(value, (int32_t)(s->first + column), s->k, distances, indices);
          worst = distances[s->k - 1];
        }
      }
    }
  }
}

void ck_select_nearest(
    const float *products, const float *squares, const int32_t *excluded, int64_t rows,
    int64_t columns, int64_t first, int64_t k, float *distances, int32_t *indices) {
  selection work = {products, squares, excluded, columns, first, k, distances, indices};
  ck_parallel(rows, rows * columns, select_rows, &work);
}

typedef struct {
  const float *queries, *references;
  int64_t width, k;
  float *distances;
  int32_t *indices;
} measurement;

CK_CLONES static float distance(const float *a, const float *b, int64_t width) {
  float lanes[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= width; i += LANES) {
    for (int lane = 0; lane < LANES; ++lane) {
      float d = a[i + lane] - b[i + lane];
      lanes[lane] += d * d;
    }
  }
  float total = 0;
  for (int lane = 0; lane < LANES; ++lane) total += lanes[lane];
  for (; i < width; ++i) total += (a[i] - b[i]) * (a[i] - b[i]);
  return sqrtf(total);
}

static void measure_rows(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const measurement *m = context;
  for (int64_t row = begin; row < end; ++row) {
    float *distances = m->distances + row * m->k;
    int32_t *indices = m->indices + row * m->k;
    for (int64_t i = 0; i < m->k; ++i) {
      int32_t index = indices[i];
      float d = distance(m->queries + row * m->width, m->references + index * m->width, m->width);
      int64_t slot = i;
      while (slot > 0 && (distances[slot - 1] > d ||
                          (distances[slot - 1] == d && indices[slot - 1] > index))) {
        distances[slot] = distances[slot - 1];
        indices[slot] = indices[slot - 1];
        --slot;
      }
      distances[slot] = d;
      indices[slot] = index;
    }
  }
}

void ck_measure_nearest(
    const float *queries, const float *references, int64_t rows, int64_t width, int64_t k,
    float *distances, int32_t *indices) {
  measurement work = {queries, references, width, k, distances, indices};
  ck_parallel(rows, rows * k * width, measure_rows, &work);
}
