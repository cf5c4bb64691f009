/**
 * @file cleanclip/attack.hpp
 * @brief Triggers, and poisoned datasets made with them.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_ATTACK_HPP
#define CLEANCLIP_ATTACK_HPP

#include <cleanclip/attack.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "data.hpp"
#include "handle.hpp"
#include "progress.hpp"
#include "span.hpp"

namespace cleanclip {

/** cleanclip_trigger_options with its defaults. */
struct TriggerOptions : cleanclip_trigger_options {
  TriggerOptions() { cleanclip_trigger_options_init(this, sizeof(cleanclip_trigger_options)); }
};

/** What an attacker puts into an image. */
class Trigger {
 public:
  /** Makes a trigger by name, of a trigger that was saved, or of an image that is pasted. */
  explicit Trigger(const std::string &name) : Trigger(name, nullptr) {}
  Trigger(const std::string &name, const TriggerOptions &options) : Trigger(name, &options) {}

  /** Takes a handle over. */
  explicit Trigger(cleanclip_trigger *handle) : handle_(handle) {}

  /** The names that triggers are made by, one on each line. */
  static std::string names() {
    return detail::text([](char *out, std::size_t capacity, std::size_t *length) {
      return cleanclip_trigger_names(out, capacity, length);
    });
  }

  /** Writes a recovered trigger as a .safetensors file, and a .png of it to look at. */
  void save(const std::string &path) const { check(cleanclip_trigger_save(get(), path.c_str())); }

  /** Puts the trigger into [count, height, width, 3] bytes. */
  void apply(Span<std::uint8_t> pixels, std::int64_t count, std::int64_t height,
             std::int64_t width, std::int64_t firstIndex = 0) const {
    std::uint8_t *data = detail::elements(pixels, {count, height, width, 3}, "pixels");
    check(cleanclip_trigger_apply(get(), data, count, firstIndex, height, width));
  }

  const cleanclip_trigger *get() const noexcept { return handle_.get(); }

 private:
  Trigger(const std::string &name, const cleanclip_trigger_options *options) {
    cleanclip_trigger *handle = nullptr;
    check(cleanclip_trigger_load(name.c_str(), options, &handle));
    handle_.reset(handle);
  }

  detail::Handle<cleanclip_trigger, cleanclip_trigger_free> handle_;
};

/** cleanclip_poison_options with its defaults; arrays of C are containers here. */
struct PoisonOptions : cleanclip_poison_options {
  PoisonOptions() { cleanclip_poison_options_init(this, sizeof(cleanclip_poison_options)); }

  /** Captions with "{}"; none: the library's. */
  std::vector<std::string> templates;
};

/** Writes a poisoned copy of a set and returns the number of poisoned pairs. */
inline std::int64_t poison(const Dataset &dataset, const Trigger &trigger,
                           const PoisonOptions &options, const std::string &outputPath,
                           const std::string &truthPath = "",
                           const CountFunction &progress = nullptr) {
  const detail::Pointers templates(options.templates);
  cleanclip_poison_options native = options;
  native.templates = templates.orNull();
  native.template_count = templates.size();
  detail::CountListener listener(progress, &dataset);
  std::int64_t poisoned = 0;
  listener.check(cleanclip_dataset_poison(dataset.get(), trigger.get(), &native,
                                          outputPath.c_str(), detail::orNull(truthPath),
                                          &detail::countCallback, &listener, &poisoned));
  return poisoned;
}

}  // namespace cleanclip

#endif
