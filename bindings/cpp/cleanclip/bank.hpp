/**
 * @file cleanclip/bank.hpp
 * @brief Banks of clean images' features, which inputs are judged by.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_BANK_HPP
#define CLEANCLIP_BANK_HPP

#include <cleanclip/bank.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "check.hpp"
#include "encode.hpp"
#include "handle.hpp"
#include "model.hpp"
#include "span.hpp"
#include "tokenizer.hpp"

namespace cleanclip {

/** What a bank says of images: higher scores are more suspicious, flags are 1 for a trigger. */
struct InputScores {
  std::vector<float> scores;
  std::vector<std::int32_t> flags;
};

/** Clean images' features, against which others are judged. */
class Bank {
 public:
  /** Makes a bank of unnormalized features of clean images, at least 50. */
  explicit Bank(const Features &features) {
    cleanclip_bank *handle = nullptr;
    check(cleanclip_bank_create(features.values.data(), features.count, features.embedDim,
                                &handle));
    handle_.reset(handle);
  }

  /** Reads a bank that was saved. */
  static Bank load(const std::string &path) {
    cleanclip_bank *handle = nullptr;
    check(cleanclip_bank_load(path.c_str(), &handle));
    return Bank(handle);
  }

  void save(const std::string &path) const { check(cleanclip_bank_save(get(), path.c_str())); }

  /** Adds class texts, which give images two more signals. */
  void addClasses(const Model &model, const Tokenizer &tokenizer,
                  const std::vector<std::string> &classes,
                  const std::vector<std::string> &templates = {}) {
    const detail::Pointers names(classes);
    const detail::Pointers prompts(templates);
    check(cleanclip_bank_add_classes(handle_.get(), model.get(), tokenizer.get(), names.data(),
                                     names.size(), prompts.orNull(), prompts.size()));
  }

  /** Says which model the features are of; another is refused from then on. */
  void setModel(const Model &model) {
    check(cleanclip_bank_set_model(handle_.get(), model.get()));
  }

  /** Adds clean images by their unnormalized features; returns how many the bank did not have. */
  std::int64_t extend(const Features &features) {
    std::int64_t added = 0;
    check(cleanclip_bank_extend(handle_.get(), elements(features), features.count, features.embedDim,
                                &added));
    return added;
  }

  /** Judges a set of images by their unnormalized features: a verdict, and whether the traffic has moved. */
  Check checkInputSet(const Features &features, double falseAlarmRate) const {
    cleanclip_check *result = nullptr;
    check(cleanclip_check_input_set(get(), elements(features), features.count, features.embedDim,
                                    falseAlarmRate, &result));
    return Check(result);
  }

  /** Judges images by their unnormalized features, at a rate of false alarms. */
  InputScores checkInputs(const Features &features, double falseAlarmRate) const {
    InputScores result;
    result.scores.resize(static_cast<std::size_t>(features.count));
    result.flags.resize(static_cast<std::size_t>(features.count));
    check(cleanclip_check_inputs(get(), elements(features), features.count, features.embedDim, falseAlarmRate,
                                 result.scores.data(), result.flags.data()));
    return result;
  }

  const cleanclip_bank *get() const noexcept { return handle_.get(); }

 private:
  static const float *elements(const Features &features) {
    return detail::elements(Span<const float>(features.values), {features.count, features.embedDim},
                            "features");
  }

  explicit Bank(cleanclip_bank *handle) : handle_(handle) {}

  detail::Handle<cleanclip_bank, cleanclip_bank_free> handle_;
};

}  // namespace cleanclip

#endif
