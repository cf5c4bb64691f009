/**
 * @file cleanclip/check.hpp
 * @brief Checks of checkpoints and datasets.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_CHECK_HPP
#define CLEANCLIP_CHECK_HPP

#include <cleanclip/check.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "attack.hpp"
#include "communicator.hpp"
#include "data.hpp"
#include "handle.hpp"
#include "model.hpp"
#include "progress.hpp"
#include "tokenizer.hpp"

namespace cleanclip {

/** cleanclip_check_model_options with its defaults; arrays of C are containers here. */
struct CheckModelOptions : cleanclip_check_model_options {
  CheckModelOptions() {
    cleanclip_check_model_options_init(this, sizeof(cleanclip_check_model_options));
  }

  /** Class names to name targets with. */
  std::vector<std::string> classes;
  /** Prompts with "{}"; none: the library's. */
  std::vector<std::string> templates;
  /** Clean checkpoints of the same architecture, which live until the check is done. */
  std::vector<std::reference_wrapper<const Model>> references;
};

/** cleanclip_check_data_options with its defaults; arrays of C are containers here. */
struct CheckDataOptions : cleanclip_check_data_options {
  CheckDataOptions() {
    cleanclip_check_data_options_init(this, sizeof(cleanclip_check_data_options));
  }

  /** Without a dataset: names of the pairs; none: the numbers of their rows. */
  std::vector<std::string> keys;
  /** Without a dataset: captions; none: unknown. */
  std::vector<std::string> captions;
  /** Features of images in files, as paths, patterns or folders; none: no files. */
  std::vector<std::string> imageFeatureFiles;
  /** Safetensors files of a trusted checkpoint, likewise; none: no files. */
  std::vector<std::string> trustedFeatureFiles;
};

/** What one search of a check of a model found; see cleanclip_finding. */
struct Finding {
  std::string kind;
  std::optional<std::string> target;
  std::optional<std::string> word;
  std::string sizeMeaning;
  std::string referenceSource;
  std::optional<std::string> predictedTarget;
  std::vector<float> referenceSizes;
  double pValue = 1;
  float size = 0;
  std::optional<float> attackSuccessRate;
  cleanclip_verdict verdict = CLEANCLIP_VERDICT_CANNOT_TELL;
  bool hasTrigger = false;
};

/** The result of a check of a model or of a dataset. */
class Check {
 public:
  /** Takes a handle over. */
  explicit Check(cleanclip_check *handle) : handle_(handle) {}

  cleanclip_verdict verdict() const noexcept { return cleanclip_check_verdict(get()); }

  /** Of the pairs, in the order of the dataset; higher is more suspicious. None for a model. */
  std::vector<float> scores() const {
    const std::int64_t count = cleanclip_check_score_count(get());
    if (count == 0) return {};
    std::vector<float> scores(static_cast<std::size_t>(count));
    check(cleanclip_check_scores(get(), scores.data(), scores.size()));
    return scores;
  }

  /** One for each search that was judged, the text tower last. None for a dataset. */
  std::vector<Finding> findings() const {
    std::vector<Finding> result;
    for (std::int64_t i = 0; i < cleanclip_check_finding_count(get()); ++i) {
      result.push_back(finding(i));
    }
    return result;
  }

  /** The trigger of a finding that has one, to be saved, applied or evaluated. */
  Trigger trigger(std::int64_t finding) const {
    cleanclip_trigger *handle = nullptr;
    check(cleanclip_check_finding_trigger(get(), finding, &handle));
    return Trigger(handle);
  }

  std::string json() const {
    return detail::text([this](char *out, std::size_t capacity, std::size_t *length) {
      return cleanclip_check_json(get(), out, capacity, length);
    });
  }

  /** Writes `.html` or `.json`; of a dataset also `.csv` and `.txt`. */
  void write(const std::string &path) const { check(cleanclip_check_write(get(), path.c_str())); }

  const cleanclip_check *get() const noexcept { return handle_.get(); }

 private:
  Finding finding(std::int64_t index) const {
    cleanclip_finding native;
    cleanclip_finding_init(&native, sizeof native);
    check(cleanclip_check_finding(get(), index, &native));
    Finding finding;
    finding.kind = native.kind;
    finding.target = detail::optional(native.target);
    finding.word = detail::optional(native.word);
    finding.sizeMeaning = native.size_meaning;
    finding.referenceSource = native.reference_source;
    finding.predictedTarget = detail::optional(native.predicted_target);
    finding.pValue = native.p_value;
    finding.size = native.size;
    if (native.attack_success_rate >= 0) finding.attackSuccessRate = native.attack_success_rate;
    finding.verdict = static_cast<cleanclip_verdict>(native.verdict);
    finding.hasTrigger = native.has_trigger != 0;
    finding.referenceSizes.resize(static_cast<std::size_t>(native.reference_count));
    if (!finding.referenceSizes.empty()) {
      check(cleanclip_check_finding_reference(get(), index, finding.referenceSizes.data(),
                                              finding.referenceSizes.size()));
    }
    return finding;
  }

  detail::Handle<cleanclip_check, cleanclip_check_free> handle_;
};

/**
 * Looks for a backdoor in a model, which is used exclusively meanwhile, though it is not changed.
 *
 * @param model The suspect.
 * @param images Unlabelled images; nullptr: synthetic ones.
 * @param tokenizer nullptr: predicted targets are not named.
 * @param options As in cleanclip_check_model_options.
 * @param progress Called after each step; false cancels.
 */
inline Check checkModel(Model &model, const Dataset *images, const Tokenizer *tokenizer,
                        const CheckModelOptions &options = {},
                        const CountFunction &progress = nullptr) {
  const detail::Pointers classes(options.classes);
  const detail::Pointers templates(options.templates);
  std::vector<const cleanclip_model *> references;
  for (const Model &reference : options.references) references.push_back(reference.get());
  cleanclip_check_model_options native = options;
  native.images = images == nullptr ? nullptr : images->get();
  native.tokenizer = tokenizer == nullptr ? nullptr : tokenizer->get();
  native.classes = classes.orNull();
  native.class_count = classes.size();
  native.templates = templates.orNull();
  native.template_count = templates.size();
  native.references = references.empty() ? nullptr : references.data();
  native.reference_count = static_cast<std::int64_t>(references.size());
  detail::CountListener listener(progress, images);
  cleanclip_check *handle = nullptr;
  const cleanclip_status status =
      cleanclip_check_model(model.get(), &native, &detail::countCallback, &listener, &handle);
  Check result(handle);
  const std::exception_ptr error = Communicator::takeError(native.communicator);
  if (error != nullptr) std::rethrow_exception(error);
  listener.check(status);
  return result;
}

/**
 * Looks for poisoned pairs in the data that a model was trained on.
 *
 * @param model The suspect; nullptr with features given, or with a trusted checkpoint alone.
 * @param dataset nullptr with features given.
 * @param options As in cleanclip_check_data_options.
 * @param progress Called with rows done; false cancels.
 */
inline Check checkData(const Model *model, const Dataset *dataset,
                       const CheckDataOptions &options = {},
                       const CountFunction &progress = nullptr) {
  const detail::Pointers keys(options.keys);
  const detail::Pointers captions(options.captions);
  const detail::Pointers imageFiles(options.imageFeatureFiles);
  const detail::Pointers trustedFiles(options.trustedFeatureFiles);
  cleanclip_check_data_options native = options;
  native.keys = keys.orNull();
  native.captions = captions.orNull();
  native.image_feature_files = imageFiles.orNull();
  native.image_feature_file_count = imageFiles.size();
  native.trusted_feature_files = trustedFiles.orNull();
  native.trusted_feature_file_count = trustedFiles.size();
  const std::size_t named = options.keys.empty() ? options.captions.size() : options.keys.size();
  if (named != 0) native.pair_count = static_cast<std::int64_t>(named);
  if (!options.keys.empty() && !options.captions.empty() &&
      options.keys.size() != options.captions.size()) {
    throw Error(CLEANCLIP_INVALID_ARGUMENT,
                "options: keys and captions are of different pairs; expected as many of both, got " +
                    std::to_string(options.keys.size()) + " and " +
                    std::to_string(options.captions.size()));
  }
  detail::CountListener listener(progress, dataset);
  cleanclip_check *handle = nullptr;
  const cleanclip_status status = cleanclip_check_data(
      model == nullptr ? nullptr : model->get(), dataset == nullptr ? nullptr : dataset->get(),
      &native, &detail::countCallback, &listener, &handle);
  Check result(handle);
  listener.check(status);
  return result;
}

}  // namespace cleanclip

#endif
