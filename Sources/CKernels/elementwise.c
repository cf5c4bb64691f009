#include "parallel.h"
#include "partials.h"
#include "vector.h"

typedef struct {
  ck_dtype type;
  ck_activation kind;
  int32_t flag;
  const void *a, *b;
  void *out;
  int64_t count;
} arguments;

// Items of elementwise kernels are blocks, so that threads begin at whole cache lines.
enum { BLOCK = 4096 };

static void run_blocks(ck_body body, arguments *work) {
  ck_parallel((work->count + BLOCK - 1) / BLOCK, work->count, body, work);
}

#define FOR_LANES(work, begin, end)                                                    \
  for (int64_t i = (begin)*BLOCK, last = (end)*BLOCK < (work)->count ? (end)*BLOCK     \
                                                                     : (work)->count, \
               lanes;                                                                  \
       lanes = last - i < LANES ? last - i : LANES, i < last; i += LANES)

CK_INLINE void convert_range(
    const arguments *w, int64_t begin, int64_t end, ck_dtype from, ck_dtype to) {
  FOR_LANES(w, begin, end) store_some(to, w->out, i, lanes, load_some(from, w->a, i, lanes));
}

CK_CLONES static void narrow_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  convert_range(context, begin, end, CK_F32, CK_BF16);
}

CK_CLONES static void widen_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  convert_range(context, begin, end, CK_BF16, CK_F32);
}

void ck_f32_to_bf16(const float *source, uint16_t *target, int64_t count) {
  arguments work = {.a = source, .out = target, .count = count};
  run_blocks(narrow_body, &work);
}

void ck_bf16_to_f32(const uint16_t *source, float *target, int64_t count) {
  arguments work = {.a = source, .out = target, .count = count};
  run_blocks(widen_body, &work);
}

CK_INLINE vfloat positive(vfloat x) { return choose((vint)(x < splat(0.f)), splat(0.f), x); }

CK_INLINE void add_range(const arguments *w, int64_t begin, int64_t end, ck_dtype type, int relu) {
  FOR_LANES(w, begin, end) {
    vfloat sum = load_some(type, w->a, i, lanes) + load_some(type, w->b, i, lanes);
    store_some(type, w->out, i, lanes, relu ? positive(sum) : sum);
  }
}

CK_CLONES static void add_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  if (w->type == CK_F32) {
    add_range(w, begin, end, CK_F32, w->flag);
  } else {
    add_range(w, begin, end, CK_BF16, w->flag);
  }
}

void ck_add(ck_dtype type, const void *a, const void *b, void *out, int64_t count) {
  arguments work = {.type = type, .a = a, .b = b, .out = out, .count = count};
  run_blocks(add_body, &work);
}

void ck_add_relu(ck_dtype type, const void *a, const void *b, void *out, int64_t count) {
  arguments work = {.type = type, .flag = 1, .a = a, .b = b, .out = out, .count = count};
  run_blocks(add_body, &work);
}

CK_INLINE void relu_range(const arguments *w, int64_t begin, int64_t end, ck_dtype type) {
  FOR_LANES(w, begin, end) {
    store_some(type, w->out, i, lanes, positive(load_some(type, w->a, i, lanes)));
  }
}

CK_CLONES static void relu_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  if (w->type == CK_F32) {
    relu_range(w, begin, end, CK_F32);
  } else {
    relu_range(w, begin, end, CK_BF16);
  }
}

void ck_relu(ck_dtype type, const void *x, void *y, int64_t count) {
  arguments work = {.type = type, .a = x, .out = y, .count = count};
  run_blocks(relu_body, &work);
}

CK_INLINE void relu_backward_range(
    const arguments *w, int64_t begin, int64_t end, ck_dtype type) {
  FOR_LANES(w, begin, end) {
    vint active = (vint)(load_some(type, w->a, i, lanes) > splat(0.f));
    vfloat dy = load_some(type, w->b, i, lanes);
    store_some(type, w->out, i, lanes, choose(active, dy, splat(0.f)));
  }
}

CK_CLONES static void relu_backward_body(
    void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  if (w->type == CK_F32) {
    relu_backward_range(w, begin, end, CK_F32);
  } else {
    relu_backward_range(w, begin, end, CK_BF16);
  }
}

void ck_relu_backward(ck_dtype type, const void *y, const void *dy, void *dx, int64_t count) {
  arguments work = {.type = type, .a = y, .b = dy, .out = dx, .count = count};
  run_blocks(relu_backward_body, &work);
}

CK_INLINE void column_sums_range(
    ck_dtype type, const void *x, int64_t begin, int64_t end, int64_t columns, float *into) {
  memset(into, 0, (size_t)columns * sizeof(float));
  for (int64_t row = begin; row < end; row++) {
    for (int64_t j = 0; j < columns; j += LANES) {
      int64_t lanes = columns - j < LANES ? columns - j : LANES;
      vfloat sum = load_some(CK_F32, into, j, lanes);
      sum += load_some(type, x, row * columns + j, lanes);
      store_some(CK_F32, into, j, lanes, sum);
    }
  }
}

typedef struct {
  ck_dtype type;
  const void *x;
  int64_t rows, columns;
  float *partials;
} sum_arguments;

CK_CLONES static void column_sums_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const sum_arguments *w = context;
  for (int64_t piece = begin; piece < end; piece++) {
    int64_t first = piece_begin(w->rows, piece), last = piece_begin(w->rows, piece + 1);
    float *into = w->partials + piece * w->columns;
    if (w->type == CK_F32) {
      column_sums_range(CK_F32, w->x, first, last, w->columns, into);
    } else {
      column_sums_range(CK_BF16, w->x, first, last, w->columns, into);
    }
  }
}

void ck_column_sums(
    ck_dtype type, const void *x, int64_t rows, int64_t columns, float *into, int32_t accumulates,
    float *partials) {
  sum_arguments work = {type, x, rows, columns, partials};
  ck_parallel(piece_count(rows), rows * columns, column_sums_body, &work);
  ck_sum_pieces(partials, piece_count(rows), columns, columns, into, accumulates);
}

int64_t ck_partial_floats(int64_t rows, int64_t columns) { return piece_count(rows) * columns; }

CK_INLINE void sum_pieces(
    const float *partials, int64_t pieces, int64_t stride, int64_t columns, float *into,
    int32_t accumulates) {
  for (int64_t j = 0; j < columns; j += LANES) {
    int64_t lanes = columns - j < LANES ? columns - j : LANES;
    vfloat sum = accumulates ? load_some(CK_F32, into, j, lanes) : splat(0.f);
    for (int64_t piece = 0; piece < pieces; piece++) {
      sum += load_some(CK_F32, partials, piece * stride + j, lanes);
    }
    store_some(CK_F32, into, j, lanes, sum);
  }
}

CK_CLONES static void sum_pieces_clone(
    const float *partials, int64_t pieces, int64_t stride, int64_t columns, float *into,
    int32_t accumulates) {
  sum_pieces(partials, pieces, stride, columns, into, accumulates);
}

void ck_sum_pieces(
    const float *partials, int64_t pieces, int64_t stride, int64_t columns, float *into,
    int32_t accumulates) {
  sum_pieces_clone(partials, pieces, stride, columns, into, accumulates);
}
