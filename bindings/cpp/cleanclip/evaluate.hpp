/**
 * @file cleanclip/evaluate.hpp
 * @brief Zero-shot accuracy and attack success rate.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_EVALUATE_HPP
#define CLEANCLIP_EVALUATE_HPP

#include <cleanclip/evaluate.h>

#include <cstddef>
#include <string>
#include <vector>

#include "data.hpp"
#include "handle.hpp"
#include "model.hpp"
#include "progress.hpp"
#include "tokenizer.hpp"

namespace cleanclip {

/** cleanclip_evaluate_options with its defaults; arrays of C are containers here. */
struct EvaluateOptions : cleanclip_evaluate_options {
  EvaluateOptions() { cleanclip_evaluate_options_init(this, sizeof(cleanclip_evaluate_options)); }

  /** Class names; none: those of the file at `classes_path`. */
  std::vector<std::string> classes;
  /** Prompts with "{}"; none: those of the file at `templates_path`, or the library's. */
  std::vector<std::string> templates;
};

/** What was measured. */
class Evaluation {
 public:
  /** Takes a handle over. */
  explicit Evaluation(cleanclip_evaluation *handle) : handle_(handle) {}

  /** Returns counts, accuracy and attack success with their intervals. */
  cleanclip_scores scores() const {
    cleanclip_scores scores;
    cleanclip_scores_init(&scores, sizeof scores);
    check(cleanclip_evaluation_scores(get(), &scores));
    return scores;
  }

  std::string json() const {
    return detail::text([this](char *out, std::size_t capacity, std::size_t *length) {
      return cleanclip_evaluation_json(get(), out, capacity, length);
    });
  }

  const cleanclip_evaluation *get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<cleanclip_evaluation, cleanclip_evaluation_free> handle_;
};

/** Measures clean accuracy and attack success on labelled images. */
inline Evaluation evaluate(const Model &model, const Tokenizer &tokenizer, const Dataset &dataset,
                           const EvaluateOptions &options,
                           const CountFunction &progress = nullptr) {
  const detail::Pointers classes(options.classes);
  const detail::Pointers templates(options.templates);
  cleanclip_evaluate_options native = options;
  native.classes = classes.orNull();
  native.class_count = classes.size();
  native.templates = templates.orNull();
  native.template_count = templates.size();
  detail::CountListener listener(progress, &dataset);
  cleanclip_evaluation *handle = nullptr;
  const cleanclip_status status =
      cleanclip_evaluate(model.get(), tokenizer.get(), dataset.get(), &native,
                         &detail::countCallback, &listener, &handle);
  Evaluation evaluation(handle);
  listener.check(status);
  return evaluation;
}

/** Measures recall of images and captions; returns JSON, see cleanclip_evaluate_retrieval(). */
inline std::string evaluateRetrieval(const Model &model, const Tokenizer &tokenizer,
                                     const Dataset &dataset,
                                     const CountFunction &progress = nullptr) {
  detail::CountListener listener(progress, &dataset);
  char text[512];
  listener.check(cleanclip_evaluate_retrieval(model.get(), tokenizer.get(), dataset.get(), nullptr,
                                              &detail::countCallback, &listener, text, sizeof text,
                                              nullptr));
  return text;
}

}  // namespace cleanclip

#endif
