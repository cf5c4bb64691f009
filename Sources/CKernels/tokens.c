#include "parallel.h"
#include "vector.h"

#define FOR_COLUMNS(columns)                                                     \
  for (int64_t j = 0, lanes;                                                     \
       lanes = (columns)-j < LANES ? (columns)-j : LANES, j < (columns); j += LANES)

static size_t size_of(ck_dtype type) { return type == CK_F32 ? 4 : 2; }

// into[j] += x[index + j] for a row.
CK_INLINE void add_row(ck_dtype type, const void *x, int64_t index, int64_t columns, float *into) {
  FOR_COLUMNS(columns) {
    vfloat sum = load_some(CK_F32, into, j, lanes);
    sum += type == CK_F32 ? load_some(CK_F32, x, index + j, lanes)
                          : load_some(CK_BF16, x, index + j, lanes);
    store_some(CK_F32, into, j, lanes, sum);
  }
}

// out[index + j] = a[a_index + j] + b[j] for a row.
CK_INLINE void sum_row(
    ck_dtype a_type, const void *a, int64_t a_index, const float *b, ck_dtype type, void *out,
    int64_t index, int64_t columns) {
  FOR_COLUMNS(columns) {
    vfloat sum = load_some(a_type, a, a_index + j, lanes) + load_some(CK_F32, b, j, lanes);
    store_some(type, out, index + j, lanes, sum);
  }
}

typedef struct {
  ck_dtype type;
  const void *source;
  const int32_t *ids, *offsets;
  const float *a, *b;
  int64_t count, length, columns;
  void *out;
  float *into, *into2;
} arguments;

static void gather_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  size_t bytes = (size_t)w->columns * size_of(w->type);
  for (int64_t i = begin; i < end; i++) {
    memcpy((char *)w->out + (size_t)i * bytes,
           (const char *)w->source + (size_t)w->ids[i] * bytes, bytes);
  }
}

void ck_gather_rows(
    ck_dtype type, const void *x, const int32_t *indices, int64_t count, int64_t columns,
    void *out) {
  arguments work = {.type = type, .source = x, .ids = indices, .columns = columns, .out = out};
  ck_parallel(count, count * columns, gather_body, &work);
}

CK_INLINE void scatter(const arguments *w, ck_dtype type) {
  for (int64_t i = 0; i < w->count; i++) {
    int64_t target = w->ids[i] * w->columns, source = i * w->columns;
    FOR_COLUMNS(w->columns) {
      vfloat sum = load_some(type, w->out, target + j, lanes);
      sum += load_some(type, w->source, source + j, lanes);
      store_some(type, w->out, target + j, lanes, sum);
    }
  }
}

CK_CLONES static void scatter_all(const arguments *w) {
  if (w->type == CK_F32) {
    scatter(w, CK_F32);
  } else {
    scatter(w, CK_BF16);
  }
}

void ck_scatter_rows(
    ck_dtype type, const void *dout, const int32_t *indices, int64_t count, int64_t rows,
    int64_t columns, void *dx) {
  memset(dx, 0, (size_t)(rows * columns) * size_of(type));
  arguments work = {.type = type, .source = dout, .ids = indices, .count = count,
                    .columns = columns, .out = dx};
  scatter_all(&work);
}

CK_CLONES static void embed_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t sequence = begin; sequence < end; sequence++) {
    int64_t first = w->offsets[sequence], last = w->offsets[sequence + 1];
    for (int64_t row = first; row < last; row++) {
      const float *position = w->b + (row - first) * w->columns;
      int64_t source = w->ids[row] * w->columns;
      sum_row(CK_F32, w->source, source, position, w->type, w->out, row * w->columns, w->columns);
    }
  }
}

void ck_embed(
    ck_dtype type, const int32_t *ids, const float *table, const float *positions,
    const int32_t *offsets, int64_t sequences, int64_t columns, void *out) {
  arguments work = {.type = type, .source = table, .ids = ids,
                    .offsets = offsets, .b = positions, .columns = columns, .out = out};
  ck_parallel(sequences, offsets[sequences] * columns, embed_body, &work);
}

// Threads take ranges of the sorted rows and begin and end at a change of the id, so that one table
// row belongs to one thread and its sum is in the order of the rows.
CK_CLONES static void embed_backward_body(
    void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  const int32_t *order = w->offsets;
  while (begin > 0 && begin < w->count && w->ids[order[begin]] == w->ids[order[begin - 1]]) begin++;
  while (end < w->count && w->ids[order[end]] == w->ids[order[end - 1]]) end++;
  for (int64_t i = begin; i < end; i++) {
    int64_t row = order[i];
    add_row(w->type, w->source, row * w->columns, w->columns,
            w->into + (int64_t)w->ids[row] * w->columns);
  }
}

void ck_embed_backward(
    ck_dtype type, const int32_t *ids, const int32_t *order, int64_t rows, int64_t columns,
    const void *dout, float *dtable) {
  arguments work = {.type = type, .source = dout, .ids = ids, .offsets = order, .count = rows,
                    .columns = columns, .into = dtable};
  ck_parallel(rows, rows * columns, embed_backward_body, &work);
}

CK_CLONES static void positions_backward_body(
    void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t position = begin; position < end; position++) {
    for (int64_t sequence = 0; sequence < w->count; sequence++) {
      int64_t row = w->offsets[sequence] + position;
      if (row >= w->offsets[sequence + 1]) continue;
      add_row(w->type, w->source, row * w->columns, w->columns, w->into + position * w->columns);
    }
  }
}

void ck_positions_backward(
    ck_dtype type, const int32_t *offsets, int64_t sequences, int64_t longest, int64_t columns,
    const void *dout, float *dpositions) {
  arguments work = {.type = type, .source = dout, .offsets = offsets, .count = sequences,
                    .columns = columns, .into = dpositions};
  ck_parallel(longest, offsets[sequences] * columns, positions_backward_body, &work);
}

CK_CLONES static void visual_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t row = begin; row < end; row++) {
    int64_t image = row / w->length, token = row % w->length;
    const float *position = w->b + token * w->columns;
    int64_t source = (image * (w->length - 1) + token - 1) * w->columns;
    if (token == 0) {
      sum_row(CK_F32, w->a, 0, position, w->type, w->out, row * w->columns, w->columns);
    } else if (w->type == CK_F32) {
      sum_row(CK_F32, w->source, source, position, CK_F32, w->out, row * w->columns, w->columns);
    } else {
      sum_row(CK_BF16, w->source, source, position, CK_BF16, w->out, row * w->columns, w->columns);
    }
  }
}

void ck_visual_tokens(
    ck_dtype type, const void *patches, const float *class_embedding, const float *positions,
    int64_t batch, int64_t length, int64_t columns, void *out) {
  arguments work = {.type = type, .source = patches, .a = class_embedding, .b = positions,
                    .length = length, .columns = columns, .out = out};
  ck_parallel(batch * length, batch * length * columns, visual_body, &work);
}

// Items are token positions: each sums over the images.
CK_CLONES static void visual_backward_body(
    void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t token = begin; token < end; token++) {
    for (int64_t image = 0; image < w->count; image++) {
      int64_t row = (image * w->length + token) * w->columns;
      if (w->into) add_row(w->type, w->source, row, w->columns, w->into + token * w->columns);
      if (w->into2 && token == 0) add_row(w->type, w->source, row, w->columns, w->into2);
    }
  }
}

static void visual_copy_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  size_t row = (size_t)w->columns * size_of(w->type);
  for (int64_t image = begin; image < end; image++) {
    memcpy((char *)w->out + (size_t)(image * (w->length - 1)) * row,
           (const char *)w->source + (size_t)(image * w->length + 1) * row,
           (size_t)(w->length - 1) * row);
  }
}

void ck_visual_tokens_backward(
    ck_dtype type, const void *dout, int64_t batch, int64_t length, int64_t columns, void *dpatches,
    float *dclass, float *dpositions) {
  arguments work = {.type = type, .source = dout, .count = batch, .length = length,
                    .columns = columns, .out = dpatches, .into = dpositions, .into2 = dclass};
  int64_t cost = batch * length * columns;
  if (dpositions || dclass) {
    ck_parallel(dpositions ? length : 1, cost, visual_backward_body, &work);
  }
  if (dpatches) ck_parallel(batch, cost, visual_copy_body, &work);
}

CK_INLINE void mean_image(const arguments *w, int64_t image, ck_dtype type) {
  vfloat inverse = splat(1 / (float)w->length);
  FOR_COLUMNS(w->columns) {
    vfloat sum = splat(0.f);
    for (int64_t cell = 0; cell < w->length; cell++) {
      vfloat x = load_some(type, w->source, (image * w->length + cell) * w->columns + j, lanes);
      sum += x;
      int64_t row = image * (w->length + 1) + cell + 1;
      vfloat position = load_some(CK_F32, w->b, (cell + 1) * w->columns + j, lanes);
      store_some(type, w->out, row * w->columns + j, lanes, x + position);
    }
    vfloat mean = sum * inverse + load_some(CK_F32, w->b, j, lanes);
    store_some(type, w->out, image * (w->length + 1) * w->columns + j, lanes, mean);
  }
}

CK_CLONES static void mean_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t image = begin; image < end; image++) {
    if (w->type == CK_F32) {
      mean_image(w, image, CK_F32);
    } else {
      mean_image(w, image, CK_BF16);
    }
  }
}

void ck_mean_token(
    ck_dtype type, const void *x, const float *positions, int64_t batch, int64_t area,
    int64_t channels, void *out) {
  arguments work = {.type = type, .source = x, .b = positions, .length = area,
                    .columns = channels, .out = out};
  ck_parallel(batch, batch * area * channels, mean_body, &work);
}

CK_INLINE void mean_backward_image(const arguments *w, int64_t image, ck_dtype type) {
  vfloat inverse = splat(1 / (float)w->length);
  FOR_COLUMNS(w->columns) {
    int64_t base = image * (w->length + 1) * w->columns + j;
    vfloat mean = load_some(type, w->source, base, lanes) * inverse;
    for (int64_t cell = 0; cell < w->length; cell++) {
      vfloat dy = load_some(type, w->source, base + (cell + 1) * w->columns, lanes);
      store_some(type, w->out, (image * w->length + cell) * w->columns + j, lanes, dy + mean);
    }
  }
}

CK_CLONES static void mean_backward_body(
    void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t image = begin; image < end; image++) {
    if (w->type == CK_F32) {
      mean_backward_image(w, image, CK_F32);
    } else {
      mean_backward_image(w, image, CK_BF16);
    }
  }
}

void ck_mean_token_backward(
    ck_dtype type, const void *dout, int64_t batch, int64_t area, int64_t channels, void *dx,
    float *dpositions) {
  arguments work = {.type = type, .source = dout, .length = area, .columns = channels, .out = dx};
  if (dx) ck_parallel(batch, batch * area * channels, mean_backward_body, &work);
  if (dpositions) {
    ck_visual_tokens_backward(type, dout, batch, area + 1, channels, NULL, NULL, dpositions);
  }
}
