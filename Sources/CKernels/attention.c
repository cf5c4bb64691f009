#include <math.h>
#include <stdlib.h>

#include "parallel.h"
#include "transpose.h"

// One task is one head of one sequence. Its rows are widened into single-precision workspace; scores
// are made for a block of query rows at a time and never stored as a whole.

enum { QUERY_BLOCK = 32 };

CK_INLINE int64_t size_of(ck_dtype type) { return type == CK_F32 ? 4 : 2; }

CK_INLINE int64_t padded(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

// C[m, n] = or += A[m, k] B[k, n] for up to 4 rows and 4 vectors of columns.
CK_INLINE void tile(
    int m, int vectors, int64_t depth, const float *a, int64_t row_stride, int64_t depth_stride,
    const float *b, int64_t b_stride, float *c, int64_t c_stride, int accumulates) {
  vfloat sums[4][4];
  for (int i = 0; i < m; i++) {
    for (int v = 0; v < vectors; v++) {
      sums[i][v] = accumulates ? load_f32(c + i * c_stride + v * LANES) : splat(0.f);
    }
  }
  for (int64_t k = 0; k < depth; k++) {
    vfloat right[4];
    for (int v = 0; v < vectors; v++) right[v] = load_f32(b + k * b_stride + v * LANES);
    for (int i = 0; i < m; i++) {
      vfloat left = splat(a[i * row_stride + k * depth_stride]);
      for (int v = 0; v < vectors; v++) sums[i][v] += left * right[v];
    }
  }
  for (int i = 0; i < m; i++) {
    for (int v = 0; v < vectors; v++) store_f32(c + i * c_stride + v * LANES, sums[i][v]);
  }
}

// C[m, n] = or += A[m, k] B[k, n]; n is a multiple of the lanes.
CK_INLINE void product(
    int64_t m, int64_t n, int64_t depth, const float *a, int64_t row_stride, int64_t depth_stride,
    const float *b, int64_t b_stride, float *c, int64_t c_stride, int accumulates) {
  for (int64_t j = 0; j < n;) {
    int64_t vectors = (n - j) / LANES >= 4 ? 4 : 1;
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) {
      const float *left = a + i * row_stride;
      float *target = c + i * c_stride + j;
      if (vectors == 4) {
        tile(4, 4, depth, left, row_stride, depth_stride, b + j, b_stride, target, c_stride,
             accumulates);
      } else {
        tile(4, 1, depth, left, row_stride, depth_stride, b + j, b_stride, target, c_stride,
             accumulates);
      }
    }
    for (; i < m; i++) {
      const float *left = a + i * row_stride;
      float *target = c + i * c_stride + j;
      if (vectors == 4) {
        tile(1, 4, depth, left, row_stride, depth_stride, b + j, b_stride, target, c_stride,
             accumulates);
      } else {
        tile(1, 1, depth, left, row_stride, depth_stride, b + j, b_stride, target, c_stride,
             accumulates);
      }
    }
    j += vectors * LANES;
  }
}

typedef struct {
  const ck_attention *shape;
  const void *q, *k, *v, *doutput;
  void *out, *dq, *dk, *dv;
  float *log_sums;
  float *workspace;
  int64_t floats_per_thread;
} arguments;

// The matrices of a task in the workspace; every row is padded to whole vectors with zeros.
typedef struct {
  int64_t query_rows, key_rows, width, keys, columns;  // keys, columns: padded
  int64_t first_query, first_key;
  float *q, *k, *v, *transposed_k, *transposed_v, *dout, *dq, *dk, *dv;
  float *scores, *dscores, *reciprocals;
} task;

static int64_t workspace_floats(const ck_attention *shape) {
  int64_t columns = padded(shape->head_width), keys = padded(shape->longest_key);
  int64_t queries = padded(shape->longest_query);
  return 3 * queries * columns + 6 * keys * columns + 2 * QUERY_BLOCK * keys + QUERY_BLOCK;
}

size_t ck_attention_workspace(const ck_attention *shape) {
  return (size_t)(workspace_floats(shape) * ck_threads()) * sizeof(float);
}

CK_INLINE task make_task(const arguments *w, int64_t index, int32_t thread) {
  const ck_attention *s = w->shape;
  int64_t sequence = index / s->heads;
  task t;
  t.first_query = s->query_offsets[sequence];
  t.first_key = s->key_offsets[sequence];
  t.query_rows = s->query_offsets[sequence + 1] - t.first_query;
  t.key_rows = s->key_offsets[sequence + 1] - t.first_key;
  t.width = s->head_width;
  t.columns = padded(t.width);
  t.keys = padded(t.key_rows);
  int64_t queries = padded(t.query_rows);
  float *next = w->workspace + thread * w->floats_per_thread;
  t.q = next, next += queries * t.columns;
  t.dout = next, next += queries * t.columns;
  t.dq = next, next += queries * t.columns;
  t.k = next, next += t.keys * t.columns;
  t.v = next, next += t.keys * t.columns;
  t.transposed_k = next, next += t.keys * t.columns;
  t.transposed_v = next, next += t.keys * t.columns;
  t.dk = next, next += t.keys * t.columns;
  t.dv = next, next += t.keys * t.columns;
  t.scores = next, next += QUERY_BLOCK * t.keys;
  t.dscores = next, next += QUERY_BLOCK * t.keys;
  t.reciprocals = next;
  return t;
}

// Widens rows of a head into [rows, columns], times a factor. The same rows of the next head are
// fetched ahead: rows are pages apart, where the processor does not do so by itself.
CK_INLINE void read_rows(
    ck_dtype type, const void *source, int64_t stride, int64_t offset, int64_t rows, int64_t width,
    int64_t columns, float factor, float *target) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t d = 0; d < columns; d += LANES) {
      int64_t lanes = width - d < LANES ? width - d : LANES;
      vfloat x = load_some(type, source, offset + i * stride + d, lanes);
      store_f32(target + i * columns + d, x * splat(factor));
    }
    const char *next = (const char *)source + (offset + i * stride + width) * size_of(type);
    for (int64_t byte = 0; byte < width * size_of(type); byte += 64) {
      __builtin_prefetch(next + byte, 0, 2);
    }
  }
}

CK_INLINE void write_rows(
    ck_dtype type, const float *source, int64_t rows, int64_t width, int64_t columns, float factor,
    void *target, int64_t stride, int64_t offset) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t d = 0; d < width; d += LANES) {
      int64_t lanes = width - d < LANES ? width - d : LANES;
      vfloat x = load_f32(source + i * columns + d) * splat(factor);
      store_some(type, target, offset + i * stride + d, lanes, x);
    }
  }
}

// [rows, columns] to [columns, padded rows]; columns are whole vectors.
CK_INLINE void transpose(
    const float *source, int64_t rows, int64_t columns, int64_t padded_rows, float *target) {
  for (int64_t i = 0; i < padded_rows; i += LANES) {
    for (int64_t d = 0; d < columns; d += LANES) {
      vuint tile[LANES];
      CK_UNROLL
      for (int l = 0; l < LANES; l++) {
        tile[l] = i + l < rows ? (vuint)load_f32(source + (i + l) * columns + d) : (vuint){0};
      }
      transpose16(tile);
      CK_UNROLL
      for (int l = 0; l < LANES; l++) store_f32(target + (d + l) * padded_rows + i, (vfloat)tile[l]);
    }
  }
}

// Keys that the query row sees.
CK_INLINE int64_t visible_keys(const ck_attention *s, const task *t, int64_t row) {
  return s->causal ? row + 1 + t->key_rows - t->query_rows : t->key_rows;
}

// Turns scores into e^(score - maximum) in place, zero beyond the visible keys. Returns ln Σ e^score
// and the reciprocal of the sum. A NaN may be lost in the maximum, but not in the sum.
CK_INLINE float exponentials(float *scores, int64_t visible, int64_t extent, float *reciprocal) {
  for (int64_t j = visible; j < extent; j++) scores[j] = -INFINITY;
  vfloat best = splat(-INFINITY);
  for (int64_t j = 0; j < extent; j += LANES) best = vmax(load_f32(scores + j), best);
  float maximum = max_lanes(best);
  vfloat total = splat(0.f);
  for (int64_t j = 0; j < extent; j += LANES) {
    vfloat p = vexp(load_f32(scores + j) - splat(maximum));
    total += p;
    store_f32(scores + j, p);
  }
  float sum = sum_lanes(total);
  *reciprocal = 1 / sum;
  return maximum + logf(sum);
}

CK_INLINE void forward_task(const arguments *w, int64_t index, int32_t thread, ck_dtype type) {
  const ck_attention *s = w->shape;
  task t = make_task(w, index, thread);
  int64_t head = index % s->heads, column = head * t.width;
  read_rows(type, w->q, s->query_stride, t.first_query * s->query_stride + column, t.query_rows,
            t.width, t.columns, s->scale, t.q);
  read_rows(type, w->k, s->key_stride, t.first_key * s->key_stride + column, t.key_rows, t.width,
            t.columns, 1, t.k);
  read_rows(type, w->v, s->value_stride, t.first_key * s->value_stride + column, t.key_rows,
            t.width, t.columns, 1, t.v);
  transpose(t.k, t.key_rows, t.columns, t.keys, t.transposed_k);
  int64_t total_queries = s->query_offsets[s->sequences];
  float *log_sums = w->log_sums + head * total_queries + t.first_query;
  for (int64_t row = 0; row < t.query_rows; row += QUERY_BLOCK) {
    int64_t rows = t.query_rows - row < QUERY_BLOCK ? t.query_rows - row : QUERY_BLOCK;
    int64_t seen = visible_keys(s, &t, row + rows - 1), extent = padded(seen);
    product(rows, extent, t.width, t.q + row * t.columns, t.columns, 1, t.transposed_k, t.keys,
            t.scores, t.keys, 0);
    for (int64_t i = 0; i < rows; i++) {
      log_sums[row + i] = exponentials(
          t.scores + i * t.keys, visible_keys(s, &t, row + i), extent, t.reciprocals + i);
    }
    product(rows, t.columns, seen, t.scores, t.keys, 1, t.v, t.columns, t.dout, t.columns, 0);
    for (int64_t i = 0; i < rows; i++) {
      write_rows(type, t.dout + i * t.columns, 1, t.width, t.columns, t.reciprocals[i], w->out,
                 s->output_stride, (t.first_query + row + i) * s->output_stride + column);
    }
  }
}

CK_CLONES static void forward_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  const arguments *w = context;
  for (int64_t index = begin; index < end; index++) {
    if (w->shape->dtype == CK_F32) {
      forward_task(w, index, thread, CK_F32);
    } else {
      forward_task(w, index, thread, CK_BF16);
    }
  }
}

// Arithmetic of a pass, for the choice between one thread and all.
static int64_t cost(const ck_attention *shape) {
  int64_t rows = shape->query_offsets[shape->sequences];
  return rows * shape->longest_key * shape->head_width * shape->heads / 8;
}

void ck_attention_forward(
    const ck_attention *shape, const void *q, const void *k, const void *v, void *output,
    float *log_sums, void *workspace) {
  arguments work = {.shape = shape, .q = q, .k = k, .v = v, .out = output, .log_sums = log_sums,
                    .workspace = workspace, .floats_per_thread = workspace_floats(shape)};
  ck_parallel(shape->sequences * shape->heads, cost(shape), forward_body, &work);
}

// With P the probabilities, dP = dO Vᵀ and δ = Σ P dP over each row, which is the Σ dO·O of
// FlashAttention (Dao et al. 2022, alg. 4) without the output:
// dV = Pᵀ dO, dS = P ⊙ (dP - δ), dQ = scale dS K, dK = scale dSᵀ Q.
CK_INLINE void backward_task(const arguments *w, int64_t index, int32_t thread, ck_dtype type) {
  const ck_attention *s = w->shape;
  task t = make_task(w, index, thread);
  int64_t head = index % s->heads, column = head * t.width;
  int64_t query_base = t.first_query * s->query_stride + column;
  int64_t key_base = t.first_key * s->key_stride + column;
  int64_t value_base = t.first_key * s->value_stride + column;
  int64_t output_base = t.first_query * s->output_stride + column;
  read_rows(type, w->q, s->query_stride, query_base, t.query_rows, t.width, t.columns, s->scale,
            t.q);
  read_rows(type, w->k, s->key_stride, key_base, t.key_rows, t.width, t.columns, 1, t.k);
  read_rows(type, w->v, s->value_stride, value_base, t.key_rows, t.width, t.columns, 1, t.v);
  transpose(t.k, t.key_rows, t.columns, t.keys, t.transposed_k);
  transpose(t.v, t.key_rows, t.columns, t.keys, t.transposed_v);
  read_rows(type, w->doutput, s->output_stride, output_base, t.query_rows, t.width, t.columns, 1,
            t.dout);
  memset(t.dk, 0, (size_t)(t.keys * t.columns) * sizeof(float));
  memset(t.dv, 0, (size_t)(t.keys * t.columns) * sizeof(float));
  int64_t total_queries = s->query_offsets[s->sequences];
  const float *log_sums = w->log_sums + head * total_queries + t.first_query;
  for (int64_t row = 0; row < t.query_rows; row += QUERY_BLOCK) {
    int64_t rows = t.query_rows - row < QUERY_BLOCK ? t.query_rows - row : QUERY_BLOCK;
    int64_t seen = visible_keys(s, &t, row + rows - 1), extent = padded(seen);
    const float *q = t.q + row * t.columns, *dout = t.dout + row * t.columns;
    product(rows, extent, t.width, q, t.columns, 1, t.transposed_k, t.keys, t.scores, t.keys, 0);
    product(rows, extent, t.width, dout, t.columns, 1, t.transposed_v, t.keys, t.dscores, t.keys,
            0);
    for (int64_t i = 0; i < rows; i++) {
      float *p = t.scores + i * t.keys, *ds = t.dscores + i * t.keys;
      int64_t visible = visible_keys(s, &t, row + i);
      for (int64_t j = visible; j < extent; j++) p[j] = -INFINITY;
      vfloat log_sum = splat(log_sums[row + i]), total = splat(0.f);
      for (int64_t j = 0; j < extent; j += LANES) {
        vfloat probability = vexp(load_f32(p + j) - log_sum);
        store_f32(p + j, probability);
        total += probability * load_f32(ds + j);
      }
      vfloat delta = splat(sum_lanes(total));
      for (int64_t j = 0; j < extent; j += LANES) {
        store_f32(ds + j, load_f32(p + j) * (load_f32(ds + j) - delta));
      }
    }
    product(seen, t.columns, rows, t.scores, 1, t.keys, dout, t.columns, t.dv, t.columns, 1);
    product(seen, t.columns, rows, t.dscores, 1, t.keys, q, t.columns, t.dk, t.columns, 1);
    product(rows, t.columns, seen, t.dscores, t.keys, 1, t.k, t.columns, t.dq + row * t.columns,
            t.columns, 0);
  }
  write_rows(type, t.dq, t.query_rows, t.width, t.columns, s->scale, w->dq, s->query_stride,
             query_base);
  write_rows(type, t.dk, t.key_rows, t.width, t.columns, 1, w->dk, s->key_stride, key_base);
  write_rows(type, t.dv, t.key_rows, t.width, t.columns, 1, w->dv, s->value_stride, value_base);
}

CK_CLONES static void backward_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  const arguments *w = context;
  for (int64_t index = begin; index < end; index++) {
    if (w->shape->dtype == CK_F32) {
      backward_task(w, index, thread, CK_F32);
    } else {
      backward_task(w, index, thread, CK_BF16);
    }
  }
}

void ck_attention_backward(
    const ck_attention *shape, const void *q, const void *k, const void *v, const void *doutput,
    const float *log_sums, void *dq, void *dk, void *dv, void *workspace) {
  arguments work = {.shape = shape, .q = q, .k = k, .v = v, .doutput = doutput, .dq = dq,
                    .dk = dk, .dv = dv, .log_sums = (float *)log_sums, .workspace = workspace,
                    .floats_per_thread = workspace_floats(shape)};
  ck_parallel(shape->sequences * shape->heads, 2 * cost(shape), backward_body, &work);
}
