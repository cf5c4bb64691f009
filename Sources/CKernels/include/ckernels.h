#ifndef CKERNELS_H
#define CKERNELS_H

/// The loops of the engine: calls of oneDNN, and kernels of our own where it has none.
///
/// Kernels take pointers and dimensions and check nothing: the Swift operation that calls them did.
/// Arrays are contiguous and row-major unless a stride is passed. Results of the kernels of our own do not
/// depend on how their work is divided; those of oneDNN repeat bit for bit with the same number of threads.

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Element types of activations.
typedef enum ck_dtype { CK_F32 = 0, CK_BF16 = 1 } ck_dtype;

typedef enum ck_status {
  CK_OK = 0,
  CK_OUT_OF_MEMORY = 1,
  CK_UNSUPPORTED = 2,
  CK_FAILED = 3
} ck_status;

/// The reason of the last failure on this thread.
const char *ck_last_error(void);

// Threads.

/// Sets how many threads kernels and oneDNN use; at least 1, at most 1024.
void ck_set_threads(int32_t count);
/// The number that was set, or by default what ck_default_threads() finds. Inside a call the number of
/// its beginning.
int32_t ck_threads(void);
/// The processors that the process may use: its affinity mask, or the quota of its control group rounded
/// up, whichever is less; at least 1.
int32_t ck_processors(void);

/// Keeps ck_threads() of this thread as it is until ck_end_call(). Calls may be nested.
void ck_begin_call(void);
void ck_end_call(void);

/// Keeps the process from forking while a lock is held, so that no child starts with a lock that
/// nobody will release. Reentrant.
void ck_hold_fork(void);
void ck_release_fork(void);

// Processor.

/// Whether bf16 arithmetic runs at all, if slowly (AVX-512).
int32_t ck_can_compute_bf16(void);
/// Whether the processor multiplies bf16 numbers itself (AVX512-BF16 or AMX).
int32_t ck_has_fast_bf16(void);

// Products (oneDNN).

/// C[rows, columns] = op(A)[rows, depth] op(B)[depth, columns] (+ bias[columns]) (+ C).
typedef struct ck_matmul {
  int64_t rows, columns, depth;
  ck_dtype a, b, c;
  /// Whether memory holds A as [depth, rows], B as [columns, depth].
  int32_t transposes_a, transposes_b;
  int32_t has_bias;
  /// Whether C is added to.
  int32_t accumulates;
  /// Whether B is in the layout of `ck_matmul_format`.
  int32_t packed_b;
} ck_matmul;

/// A layout of a weight that oneDNN asked for.
typedef struct ck_format {
  int32_t id;
  size_t bytes;
} ck_format;

ck_status ck_matmul_format(const ck_matmul *shape, ck_format *out);
ck_status ck_matmul_run(
    const ck_matmul *shape, const void *a, const void *b, const float *bias, void *c);

/// Brings a matrix [rows, columns] (or its transpose in memory) into a layout.
ck_status ck_pack_matrix(
    int32_t format, int64_t rows, int64_t columns, int32_t transposed, ck_dtype type,
    const void *source, void *target);

// Convolution (oneDNN): x [B, H, W, C], weight [O, C, kh, kw], y [B, OH, OW, O].

/// y = relu(x * weight (+ bias[O]) (+ y)); ReLU where asked, not-a-number passes through it.
typedef struct ck_convolution {
  int64_t batch, height, width, in_channels, out_channels;
  int64_t kernel_height, kernel_width, stride, padding;
  ck_dtype dtype;
  int32_t has_bias;
  /// Whether y is added to.
  int32_t accumulates;
  int32_t relu;
} ck_convolution;

ck_status ck_convolution_forward_format(const ck_convolution *shape, ck_format *out);
ck_status ck_convolution_backward_format(const ck_convolution *shape, ck_format *out);
/// Brings a weight [O, C, kh, kw], times scale [O] unless NULL, into a layout.
ck_status ck_pack_filter(
    int32_t format, const ck_convolution *shape, const float *source, const float *scale,
    void *target);
ck_status ck_convolution_forward(
    const ck_convolution *shape, const void *x, const void *weight, const float *bias, void *y);
ck_status ck_convolution_backward_data(
    const ck_convolution *shape, const void *dy, const void *weight, void *dx);
/// Writes, or adds into, dweight [O, C, kh, kw].
ck_status ck_convolution_backward_weight(
    const ck_convolution *shape, const void *x, const void *dy, float *dweight,
    int32_t accumulates);

// Elementwise.

void ck_f32_to_bf16(const float *source, uint16_t *target, int64_t count);
void ck_bf16_to_f32(const uint16_t *source, float *target, int64_t count);
/// out = a + b; `out` may alias either.
void ck_add(ck_dtype type, const void *a, const void *b, void *out, int64_t count);
/// out = max(a + b, 0); `out` may alias either.
void ck_add_relu(ck_dtype type, const void *a, const void *b, void *out, int64_t count);
void ck_relu(ck_dtype type, const void *x, void *y, int64_t count);
/// dx = y > 0 ? dy : 0; `dx` may alias `dy`.
void ck_relu_backward(ck_dtype type, const void *y, const void *dy, void *dx, int64_t count);

typedef enum ck_activation { CK_QUICK_GELU = 0, CK_GELU = 1, CK_GELU_TANH = 2 } ck_activation;
void ck_activate(ck_dtype type, ck_activation kind, const void *x, void *y, int64_t count);
/// dx may alias dy.
void ck_activate_backward(
    ck_dtype type, ck_activation kind, const void *x, const void *dy, void *dx, int64_t count);

/// into = or += sums over rows of x [rows, columns]; `partials` has ck_partial_floats(rows, columns).
void ck_column_sums(
    ck_dtype type, const void *x, int64_t rows, int64_t columns, float *into, int32_t accumulates,
    float *partials);
/// The floats of workspace of a reduction over rows.
int64_t ck_partial_floats(int64_t rows, int64_t columns);

// Normalisation.

/// y = (x - mean) / sqrt(var + epsilon) * weight + bias over rows; mean and rstd [rows] are saved.
void ck_layer_norm(
    ck_dtype type, const void *x, const float *weight, const float *bias, float epsilon, int64_t rows,
    int64_t columns, void *y, float *mean, float *rstd);
/// dx, and dweight, dbias (= or +=) unless NULL; `partials` has ck_partial_floats(rows, 2 * columns).
void ck_layer_norm_backward(
    ck_dtype type, const void *x, const void *dy, const float *weight, const float *mean,
    const float *rstd, int64_t rows, int64_t columns, void *dx, float *dweight, float *dbias,
    int32_t accumulates_weight, int32_t accumulates_bias, float *partials);

/// y = x / max(|x|, 1e-12) in single precision; norms [rows] are saved.
void ck_normalize_rows(
    ck_dtype type, const void *x, int64_t rows, int64_t columns, float *y, float *norms);
void ck_normalize_rows_backward(
    ck_dtype type, const float *y, const float *norms, const float *dy, int64_t rows,
    int64_t columns, void *dx);

/// Mean and biased variance [columns] over rows; `partials` has ck_partial_floats(rows, 2 * columns).
void ck_batch_statistics(
    ck_dtype type, const void *x, int64_t rows, int64_t columns, float *mean, float *variance,
    float *partials);
/// y = x * scale + shift over channels, then ReLU where asked.
void ck_scale_shift(
    ck_dtype type, const void *x, const float *scale, const float *shift, int32_t relu,
    int64_t rows, int64_t columns, void *y);
/// sum_dy = Σ g, sum_dy_x = Σ g·(x - mean)·rstd with g = dy, after a ReLU where
/// x * scale + shift > 0.
void ck_batch_norm_reduce(
    ck_dtype type, const void *x, const void *dy, const float *mean, const float *rstd,
    const float *scale, const float *shift, int32_t relu, int64_t rows, int64_t columns,
    float *sum_dy, float *sum_dy_x, float *partials);
/// dx = scale·g + b·x + c over channels, g as above.
void ck_batch_norm_backward(
    ck_dtype type, const void *x, const void *dy, const float *scale, const float *shift,
    int32_t relu, const float *b, const float *c, int64_t rows, int64_t columns, void *dx);

// Attention over packed sequences.

typedef struct ck_attention {
  ck_dtype dtype;
  int64_t sequences, heads, head_width;
  /// Rows of sequence i: offsets[i] ..< offsets[i + 1].
  const int32_t *query_offsets, *key_offsets;
  /// Elements from row to row.
  int64_t query_stride, key_stride, value_stride, output_stride;
  int64_t longest_query, longest_key;
  int32_t causal;
  float scale;
} ck_attention;

/// Bytes of workspace of either pass.
size_t ck_attention_workspace(const ck_attention *shape);
/// output = softmax(scale q kᵀ) v; log_sums [heads, query rows] is saved.
void ck_attention_forward(
    const ck_attention *shape, const void *q, const void *k, const void *v, void *output,
    float *log_sums, void *workspace);
/// dq, dk, dv have the strides of q, k, v.
void ck_attention_backward(
    const ck_attention *shape, const void *q, const void *k, const void *v, const void *doutput,
    const float *log_sums, void *dq, void *dk, void *dv, void *workspace);

// Tokens and images.

/// out[i] = x[indices[i]].
void ck_gather_rows(
    ck_dtype type, const void *x, const int32_t *indices, int64_t count, int64_t columns,
    void *out);
/// dx [rows, columns] = Σ over i with indices[i] = row of dout[i].
void ck_scatter_rows(
    ck_dtype type, const void *dout, const int32_t *indices, int64_t count, int64_t rows,
    int64_t columns, void *dx);
/// out[n] = table[ids[n]] + positions[position of n in its sequence].
void ck_embed(
    ck_dtype type, const int32_t *ids, const float *table, const float *positions,
    const int32_t *offsets, int64_t sequences, int64_t columns, void *out);
/// dtable[ids[n]] += dout[n]; `order` sorts rows by id, then by n.
void ck_embed_backward(
    ck_dtype type, const int32_t *ids, const int32_t *order, int64_t rows, int64_t columns,
    const void *dout, float *dtable);
/// dpositions[p] += Σ over sequences of dout[position p].
void ck_positions_backward(
    ck_dtype type, const int32_t *offsets, int64_t sequences, int64_t longest, int64_t columns,
    const void *dout, float *dpositions);

/// x [B, C, H, W] f32 to y [B, H, W, C].
void ck_nchw_to_nhwc(
    ck_dtype type, const float *x, int64_t batch, int64_t channels, int64_t area, void *y);
void ck_nhwc_to_nchw(
    ck_dtype type, const void *x, int64_t batch, int64_t channels, int64_t area, float *y);
/// x [B, C, H, W] f32 to y [B·gh·gw, C·p·p].
void ck_patches(
    ck_dtype type, const float *x, int64_t batch, int64_t channels, int64_t height, int64_t width,
    int64_t patch, void *y);
void ck_patches_backward(
    ck_dtype type, const void *dy, int64_t batch, int64_t channels, int64_t height, int64_t width,
    int64_t patch, float *dx);
/// patches [B·(L-1), D] to tokens [B·L, D]: class embedding first, positions [L, D] added.
void ck_visual_tokens(
    ck_dtype type, const void *patches, const float *class_embedding, const float *positions,
    int64_t batch, int64_t length, int64_t columns, void *out);
/// dpatches unless NULL; dclass, dpositions are added to unless NULL.
void ck_visual_tokens_backward(
    ck_dtype type, const void *dout, int64_t batch, int64_t length, int64_t columns, void *dpatches,
    float *dclass, float *dpositions);
/// x [B, area, C] to out [B·(area + 1), C]: the mean first, positions [area + 1, C] added.
void ck_mean_token(
    ck_dtype type, const void *x, const float *positions, int64_t batch, int64_t area,
    int64_t channels, void *out);
/// dx unless NULL; dpositions is added to unless NULL.
void ck_mean_token_backward(
    ck_dtype type, const void *dout, int64_t batch, int64_t area, int64_t channels, void *dx,
    float *dpositions);
/// Mean of kernel × kernel windows, stride = kernel; what is left over at the edge is dropped.
void ck_average_pool(
    ck_dtype type, const void *x, int64_t batch, int64_t height, int64_t width, int64_t channels,
    int64_t kernel, void *y);
void ck_average_pool_backward(
    ck_dtype type, const void *dy, int64_t batch, int64_t height, int64_t width, int64_t channels,
    int64_t kernel, void *dx);

// Nearest neighbours.

/// Keeps, for each row, the k columns with the smallest squares[column] - 2 products[row, column].
///
/// distances and indices [rows, k] hold the best so far in ascending order, infinity and -1 at first;
/// indices count from `first`. The reference `excluded[row]` is passed over; -1 excludes none.
void ck_select_nearest(
    const float *products, const float *squares, const int32_t *excluded, int64_t rows,
    int64_t columns, int64_t first, int64_t k, float *distances, int32_t *indices);
/// Replaces distances [rows, k] by Euclidean ones, computed from differences, and sorts by them.
void ck_measure_nearest(
    const float *queries, const float *references, int64_t rows, int64_t width, int64_t k,
    float *distances, int32_t *indices);

// Optimizer.

/// One step of AdamW (Loshchilov and Hutter 2019), decoupled weight decay, PyTorch's bias correction.
///
/// Step counts from 1.
void ck_adamw(
    float *value, const float *gradient, float *first_moment, float *second_moment, int64_t count,
    float learning_rate, float beta1, float beta2, float epsilon, float weight_decay, int64_t step);

#ifdef __cplusplus
}
#endif

#endif
