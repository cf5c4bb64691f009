#include "onednn.hpp"

#include <cstdlib>

namespace ck {

const dnnl::engine &engine() {
  // Never destroyed: threads may still compute while the process leaves.
  static const dnnl::engine &instance = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return instance;
}

dnnl::stream &stream() {
  thread_local dnnl::stream instance(engine());
  return instance;
}

namespace {

struct Block {
  void *data = nullptr;
  size_t bytes = 0;
  ~Block() { std::free(data); }
};

struct Layouts {
  std::mutex mutex;
  std::vector<dnnl::memory::desc> all;
};

Layouts &layouts() {
  static Layouts &instance = *new Layouts;
  return instance;
}

std::string &message() {
  thread_local std::string text;
  return text;
}

struct ReorderPlan {
  dnnl::reorder primitive;
  dnnl::memory::desc scratchpad;
};

}  // namespace

std::mutex &creation() {
  static std::mutex &instance = *new std::mutex;
  return instance;
}

void *workspace(int slot, size_t bytes) {
  thread_local Block blocks[4];
  Block &block = blocks[slot];
  if (block.bytes < bytes) {
    std::free(block.data);
    block.bytes = 0;
    size_t rounded = (bytes + 4095) / 4096 * 4096;
    block.data = std::aligned_alloc(4096, rounded);
    if (!block.data) throw std::bad_alloc();
    block.bytes = rounded;
  }
  return block.data;
}

ck_format format_of(const dnnl::memory::desc &layout) {
  Layouts &known = layouts();
  Lock lock(known.mutex);
  for (size_t i = 0; i < known.all.size(); i++) {
    if (known.all[i] == layout) return {static_cast<int32_t>(i), layout.get_size()};
  }
  known.all.push_back(layout);
  return {static_cast<int32_t>(known.all.size() - 1), layout.get_size()};
}

dnnl::memory::desc layout_of(int32_t format) {
  Layouts &known = layouts();
  Lock lock(known.mutex);
  return known.all.at(static_cast<size_t>(format));
}

dnnl::primitive_attr attributes(bool accumulates, bool relu) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops operations;
  if (accumulates) operations.append_sum(1.f);
  if (relu) {
    // oneDNN's ReLU turns not-a-number into 0, its leaky one does not; this slope is nothing beside
    // what the next layer adds up.
    constexpr float slope = 1e-30f;
#if DNNL_VERSION_MAJOR >= 3
    operations.append_eltwise(dnnl::algorithm::eltwise_relu, slope, 0.f);
#else
    operations.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, slope, 0.f);
#endif
  }
  attributes.set_post_ops(operations);
  return attributes;
}

void execute(
    const dnnl::primitive &primitive, const dnnl::memory::desc &scratchpad,
    std::unordered_map<int, dnnl::memory> arguments) {
  size_t bytes = scratchpad.get_size();
  if (bytes > 0) arguments[DNNL_ARG_SCRATCHPAD] = wrap(scratchpad, workspace(0, bytes));
  primitive.execute(stream(), arguments);
  stream().wait();
}

void reorder(
    const dnnl::memory::desc &from, const void *source, const dnnl::memory::desc &to, void *target,
    bool accumulates) {
  ReorderPlan plan = [&] {
    Lock alone(creation());
    dnnl::reorder::primitive_desc description(
        engine(), from, engine(), to, attributes(accumulates));
    return ReorderPlan{dnnl::reorder(description), description.scratchpad_desc()};
  }();
  execute(
      plan.primitive, plan.scratchpad,
      {{DNNL_ARG_FROM, wrap(from, source)}, {DNNL_ARG_TO, wrap(to, target)}});
}

ck_status failed(ck_status status, const char *reason) {
  try {
    message() = reason;
  } catch (...) {
  }
  return status;
}

}  // namespace ck

extern "C" const char *ck_last_error(void) { return ck::message().c_str(); }

extern "C" int32_t ck_can_compute_bf16(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         dnnl_get_effective_cpu_isa() >= dnnl_cpu_isa_avx512_core;
#else
  return 0;
#endif
}

extern "C" int32_t ck_has_fast_bf16(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // AMX processors have AVX512-BF16 as well.
  return ck_can_compute_bf16() && __builtin_cpu_supports("avx512bf16") &&
         dnnl_get_effective_cpu_isa() >= dnnl_cpu_isa_avx512_core_bf16;
#else
  return 0;
#endif
}
