#include "onednn.hpp"
#include "pack.h"

namespace {

using dnnl::matmul;
using dnnl::memory;

// The product of some rows of C; they begin at these bytes of the operands.
struct Part {
  matmul primitive;
  memory::desc a, b, bias, c, scratchpad;
  size_t a_offset, c_offset;
};

using Plan = std::vector<Part>;

memory::desc matrix(int64_t rows, int64_t columns, bool transposed, ck_dtype type) {
  memory::dims strides = transposed ? memory::dims{1, rows} : memory::dims{columns, 1};
  return memory::desc({rows, columns}, ck::data_type(type), strides);
}

size_t bytes_of(ck_dtype type) { return type == CK_F32 ? 4 : 2; }

Part make(const ck_matmul &s, int64_t first, int64_t rows) {
  memory::desc a({rows, s.depth}, ck::data_type(s.a),
                 s.transposes_a ? memory::dims{1, s.rows} : memory::dims{s.depth, 1});
  memory::desc b = s.packed_b ? memory::desc({s.depth, s.columns}, ck::data_type(s.b),
                                             memory::format_tag::any)
                              : matrix(s.depth, s.columns, s.transposes_b, s.b);
  memory::desc c = matrix(rows, s.columns, false, s.c);
  memory::desc bias = s.has_bias ? matrix(1, s.columns, false, CK_F32) : memory::desc();
  dnnl::primitive_attr attributes = ck::attributes(s.accumulates);
#if DNNL_VERSION_MAJOR >= 3
  matmul::primitive_desc description =
      s.has_bias ? matmul::primitive_desc(ck::engine(), a, b, bias, c, attributes)
                 : matmul::primitive_desc(ck::engine(), a, b, c, attributes);
#else
  matmul::desc operation = s.has_bias ? matmul::desc(a, b, bias, c) : matmul::desc(a, b, c);
  matmul::primitive_desc description(operation, attributes, ck::engine());
#endif
  return {matmul(description), a, description.weights_desc(), bias, c,
          description.scratchpad_desc(),
          bytes_of(s.a) * static_cast<size_t>(s.transposes_a ? first : first * s.depth),
          bytes_of(s.c) * static_cast<size_t>(first * s.columns)};
}

// Gradients of large weights are made in two halves, for which oneDNN finds better blocks: with two
// Zen 4 threads 182 against 176 GFLOP/s each for 3072 × 768 of 1,600 rows, 194 against 168 for
// 768 × 3072, 198 against 179 for 2304 × 768 (bf16). In f32 nothing is gained.
Plan make(const ck_matmul &s) {
  constexpr int64_t large = 768 * 768;
  bool is_large = s.rows * s.columns >= large && s.rows >= 512;
  if (s.transposes_a && !s.packed_b && s.a == CK_BF16 && is_large) {
    int64_t half = (s.rows / 2 + 63) / 64 * 64;
    return {make(s, 0, half), make(s, half, s.rows - half)};
  }
  return {make(s, 0, s.rows)};
}

std::shared_ptr<const Plan> plan(const ck_matmul &shape) {
  static auto &cache = *new ck::Cache<ck_matmul, Plan>;
  return cache.find(shape, [&] { return make(shape); });
}

// Describes a layout to our own packing, which reads memory once where oneDNN's reorder of a
// transposed source to bf16 takes three times as long; false for layouts it does not know.
bool describe(const memory::desc &layout, ck_blocks &out) {
#if DNNL_VERSION_MAJOR < 3
  const dnnl_memory_desc_t &d = layout.data;
  const dnnl_blocking_desc_t &b = d.format_desc.blocking;
  bool half = d.data_type == dnnl_bf16;
  if (d.format_kind != dnnl_blocked || d.ndims != 2 || d.extra.flags != 0 || d.offset0 != 0 ||
      !(half || d.data_type == dnnl_f32) || b.inner_nblks != (half ? 3 : 2)) {
    return false;
  }
  if (b.inner_idxs[0] != 0 || b.inner_blks[0] != 16 || b.inner_idxs[1] != 1 ||
      b.inner_blks[1] % 16 != 0 ||
      (half && (b.inner_idxs[2] != 0 || b.inner_blks[2] != 2))) {
    return false;
  }
  out.rows = d.dims[0];
  out.columns = d.dims[1];
  out.type = half ? CK_BF16 : CK_F32;
  out.padded_rows = d.padded_dims[0];
  out.block_columns = b.inner_blks[1];
  out.row_stride = b.strides[0];
  out.column_stride = b.strides[1];
  return d.padded_dims[1] % out.block_columns == 0;
#else
  (void)layout;
  (void)out;
  return false;
#endif
}

}  // namespace

extern "C" ck_status ck_matmul_format(const ck_matmul *shape, ck_format *out) {
  return ck::guarded([&] { *out = ck::format_of(plan(*shape)->front().b); });
}

extern "C" ck_status ck_matmul_run(
    const ck_matmul *shape, const void *a, const void *b, const float *bias, void *c) {
  return ck::guarded([&] {
    auto found = plan(*shape);
    for (const Part &part : *found) {
      std::unordered_map<int, memory> arguments = {
          {DNNL_ARG_SRC, ck::wrap(part.a, static_cast<const char *>(a) + part.a_offset)},
          {DNNL_ARG_WEIGHTS, ck::wrap(part.b, b)},
          {DNNL_ARG_DST, ck::wrap(part.c, static_cast<char *>(c) + part.c_offset)}};
      if (shape->has_bias) arguments[DNNL_ARG_BIAS] = ck::wrap(part.bias, bias);
      ck::execute(part.primitive, part.scratchpad, std::move(arguments));
    }
  });
}

extern "C" ck_status ck_pack_matrix(
    int32_t format, int64_t rows, int64_t columns, int32_t transposed, ck_dtype type,
    const void *source, void *target) {
  return ck::guarded([&] {
    ck_blocks blocks = {};
    if (type == CK_F32 && describe(ck::layout_of(format), blocks)) {
      blocks.transposed = transposed;
      ck_pack_blocks(&blocks, static_cast<const float *>(source), target);
      return;
    }
    ck::reorder(
        matrix(rows, columns, transposed, type), source, ck::layout_of(format), target, false);
  });
}
