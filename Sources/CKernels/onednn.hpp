#ifndef CK_ONEDNN_HPP
#define CK_ONEDNN_HPP

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "ckernels.h"
#include "openmp.h"

namespace ck {

const dnnl::engine &engine();
/// The stream of the calling thread.
dnnl::stream &stream();

inline dnnl::memory::data_type data_type(ck_dtype type) {
  return type == CK_F32 ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
}

/// Memory of the calling thread that grows to the largest request; `slot` tells uses apart.
void *workspace(int slot, size_t bytes);

/// Numbers a layout, so that Swift can name it.
ck_format format_of(const dnnl::memory::desc &layout);
dnnl::memory::desc layout_of(int32_t format);

/// Attributes with scratchpads that the caller provides: oneDNN allocates nothing while it runs. The
/// result is added to what the target holds, then passes a ReLU, where asked.
dnnl::primitive_attr attributes(bool accumulates, bool relu = false);

/// Runs with a scratchpad and waits.
void execute(
    const dnnl::primitive &primitive, const dnnl::memory::desc &scratchpad,
    std::unordered_map<int, dnnl::memory> arguments);

inline dnnl::memory wrap(const dnnl::memory::desc &layout, const void *data) {
  return dnnl::memory(layout, engine(), const_cast<void *>(data));
}

/// Copies between layouts and element types; adds where asked.
void reorder(
    const dnnl::memory::desc &from, const void *source, const dnnl::memory::desc &to, void *target,
    bool accumulates);

ck_status failed(ck_status status, const char *reason);

/// Runs `body`, and turns what it throws into a status.
template <typename Body>
ck_status guarded(Body body) {
  struct Visit {
    const char *reason = nullptr;
    ck_status status = ck_enter_onednn(&reason);
    ~Visit() {
      if (status == CK_OK) ck_leave_onednn();
    }
  } visit;
  if (visit.status != CK_OK) return failed(visit.status, visit.reason);
  try {
    body();
    return CK_OK;
  } catch (const dnnl::error &error) {
    ck_status status = error.status == dnnl_out_of_memory    ? CK_OUT_OF_MEMORY
                       : error.status == dnnl_unimplemented ? CK_UNSUPPORTED
                                                            : CK_FAILED;
    return failed(status, error.what());
  } catch (const std::bad_alloc &) {
    return failed(CK_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &error) {
    return failed(CK_FAILED, error.what());
  } catch (...) {
    return failed(CK_FAILED, "unknown exception");
  }
}

/// A lock that no child of fork can find held.
class Lock {
 public:
  explicit Lock(std::mutex &mutex) : mutex_(mutex) {
    ck_hold_fork();
    mutex_.lock();
  }
  ~Lock() {
    mutex_.unlock();
    ck_release_fork();
  }
  Lock(const Lock &) = delete;
  Lock &operator=(const Lock &) = delete;

 private:
  std::mutex &mutex_;
};

/// Held while oneDNN makes a primitive. Two threads that make their first f32 and bf16 convolutions at
/// the same time get kernels that compute wrong numbers for as long as the process lives (2.6.3).
std::mutex &creation();

/// Compiled primitives by shape. `Key` is compared as bytes and has no padding that varies.
template <typename Key, typename Plan>
class Cache {
 public:
  template <typename Make>
  std::shared_ptr<const Plan> find(const Key &shape, Make make) {
    std::string key(reinterpret_cast<const char *>(&shape), sizeof shape);
    int32_t threads = ck_threads();
    key.append(reinterpret_cast<const char *>(&threads), sizeof threads);
    {
      Lock lock(mutex_);
      auto found = plans_.find(key);
      if (found != plans_.end()) return found->second;
    }
    std::shared_ptr<const Plan> plan;
    {
      Lock alone(creation());
      plan = std::make_shared<const Plan>(make());
    }
    Lock lock(mutex_);
    if (plans_.size() >= capacity) plans_.clear();
    plans_[key] = plan;
    return plan;
  }

 private:
  // About 0.1 MB of machine code each; captions add a few for every new number of tokens.
  static constexpr size_t capacity = 512;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Plan>> plans_;
};

}  // namespace ck

#endif
