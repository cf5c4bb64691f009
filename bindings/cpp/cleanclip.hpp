/**
 * @file cleanclip.hpp
 * @brief C++17 interface of libcleanclip: handles that free themselves, exceptions, containers.
 *
 * Header only; link with `-lcleanclip`. What the functions do, and the thread rules, are in
 * cleanclip.h. Functions throw cleanclip::Error where the C function returns a status.
 *
 * @code{.cpp}
 * cleanclip::Model model("clip.onnx");
 * cleanclip::Tokenizer tokenizer = cleanclip::Tokenizer::find("clip.onnx");
 * cleanclip::Dataset pairs({"finetune-*.tar"});
 * cleanclip::SanitizeOptions options;
 * options.epochs = 4;
 * cleanclip::sanitize(model, tokenizer, pairs, options, [](const cleanclip_progress &progress) {
 *   std::cerr << progress.step << "/" << progress.steps << "\r";
 *   return true;
 * });
 * model.save("clean.onnx");
 * @endcode
 */
#ifndef CLEANCLIP_HPP
#define CLEANCLIP_HPP

#include <cleanclip.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace cleanclip {

/** A failure that the library reports: its code and its text. */
class Error : public std::runtime_error {
 public:
  Error(cleanclip_status code, const std::string &message)
      : std::runtime_error(message), code_(code) {}

  /** Returns the status that the C function returned. */
  cleanclip_status code() const noexcept { return code_; }

 private:
  cleanclip_status code_;
};

/** Throws what the last failure on this thread was, unless `status` is CLEANCLIP_OK. */
inline void check(cleanclip_status status) {
  if (status != CLEANCLIP_OK) throw Error(status, cleanclip_last_error());
}

namespace detail {

/** Frees a handle of the C interface. */
template <typename Type, void (*free)(Type *)>
struct Free {
  void operator()(Type *handle) const noexcept { free(handle); }
};

/** A handle with one owner. */
template <typename Type, void (*free)(Type *)>
using Handle = std::unique_ptr<Type, Free<Type, free>>;

/** Calls a function that writes a text: once for the length, once for the text. */
template <typename Write>
std::string text(Write write) {
  std::size_t length = 0;
  check(write(nullptr, 0, &length));
  std::string result(length + 1, '\0');
  check(write(&result[0], result.size(), &length));
  result.resize(length);
  return result;
}

/** Returns the pointers of texts; they live as long as the texts. */
inline std::vector<const char *> pointers(const std::vector<std::string> &texts) {
  std::vector<const char *> result;
  result.reserve(texts.size() + 1);
  for (const std::string &text : texts) result.push_back(text.c_str());
  // One more, so that data() is not NULL for no text at all.
  result.push_back(nullptr);
  return result;
}

/** Returns `value`'s text, or NULL for an empty one. */
inline const char *optional(const std::string &value) {
  return value.empty() ? nullptr : value.c_str();
}

}  // namespace detail

/** Features, row by row: [count, embedDim]. */
struct Features {
  std::vector<float> values;
  std::int64_t count = 0;
  std::int64_t embedDim = 0;

  /** Returns the feature of one image or text. */
  const float *operator[](std::int64_t index) const { return values.data() + index * embedDim; }
};

/** CLIP's tokenizer. */
class Tokenizer {
 public:
  /** Loads a vocabulary. */
  explicit Tokenizer(const std::string &path) : Tokenizer() {
    cleanclip_tokenizer *handle = nullptr;
    check(cleanclip_tokenizer_load(path.c_str(), &handle));
    handle_.reset(handle);
  }

  /** Loads the vocabulary beside a model, or else the installed one. */
  static Tokenizer find(const std::string &modelPath = "") {
    cleanclip_tokenizer *handle = nullptr;
    check(cleanclip_tokenizer_find(detail::optional(modelPath), &handle));
    Tokenizer tokenizer;
    tokenizer.handle_.reset(handle);
    return tokenizer;
  }

  /** Turns texts into token ids, [texts, contextLength], padded with zeros. */
  std::vector<std::int32_t> encode(const std::vector<std::string> &texts,
                                   std::int64_t contextLength = 77) const {
    const std::vector<const char *> pointers = detail::pointers(texts);
    const std::int64_t width = contextLength < 0 ? 0 : contextLength;
    std::vector<std::int32_t> ids(texts.size() * static_cast<std::size_t>(width) + 1);
    check(cleanclip_tokenizer_encode(get(), pointers.data(),
                                     static_cast<std::int64_t>(texts.size()), contextLength,
                                     ids.data(), ids.size()));
    ids.pop_back();
    return ids;
  }

  std::int64_t vocabSize() const { return cleanclip_tokenizer_vocab_size(get()); }
  const cleanclip_tokenizer *get() const noexcept { return handle_.get(); }

 private:
  Tokenizer() = default;
  detail::Handle<cleanclip_tokenizer, cleanclip_tokenizer_free> handle_;
};

/** cleanclip_encode_options with its defaults. */
struct EncodeOptions : cleanclip_encode_options {
  EncodeOptions() { cleanclip_encode_options_init(this, sizeof(cleanclip_encode_options)); }
};

/** A CLIP model. */
class Model {
 public:
  /** Loads a checkpoint: ONNX, safetensors, or "VISUAL.onnx,TEXTUAL.onnx". */
  explicit Model(const std::string &path) {
    cleanclip_model *handle = nullptr;
    check(cleanclip_model_load(path.c_str(), &handle));
    handle_.reset(handle);
  }

  /** Makes a model with random weights: an architecture's name, or its JSON. */
  static Model create(const std::string &architecture, std::uint64_t seed) {
    cleanclip_model *handle = nullptr;
    check(cleanclip_model_create(architecture.c_str(), seed, &handle));
    return Model(handle);
  }

  /** Returns an independent copy; copies are expensive, so not a copy constructor. */
  Model copy() const {
    cleanclip_model *handle = nullptr;
    check(cleanclip_model_copy(get(), &handle));
    return Model(handle);
  }

  void save(const std::string &path) const { check(cleanclip_model_save(get(), path.c_str())); }

  /** Returns the description as JSON. */
  std::string describe() const {
    return detail::text([this](char *out, std::size_t capacity, std::size_t *length) {
      return cleanclip_model_describe(get(), out, capacity, length);
    });
  }

  std::int64_t embedDim() const { return cleanclip_model_embed_dim(get()); }
  std::int64_t imageSize() const { return cleanclip_model_image_size(get()); }
  std::int64_t contextLength() const { return cleanclip_model_context_length(get()); }
  std::int64_t vocabSize() const { return cleanclip_model_vocab_size(get()); }
  /** Already exponentiated. */
  float logitScale() const { return cleanclip_model_logit_scale(get()); }

  /** Returns the names of all tensors, in the order of the state dictionary. */
  std::vector<std::string> parameterNames() const {
    std::vector<std::string> names;
    cleanclip_parameter_info info;
    cleanclip_parameter_info_init(&info, sizeof info);
    for (std::int64_t i = 0; i < cleanclip_model_parameter_count(get()); ++i) {
      check(cleanclip_model_parameter_info(get(), i, &info));
      names.emplace_back(info.name);
    }
    return names;
  }

  /** Returns the dimensions of a tensor. */
  std::vector<std::int64_t> parameterShape(const std::string &name) const {
    const cleanclip_parameter_info info = parameterInfo(name);
    return {info.dimensions, info.dimensions + info.rank};
  }

  /** Returns the values of a tensor. */
  std::vector<float> parameter(const std::string &name) const {
    std::vector<float> values(static_cast<std::size_t>(parameterInfo(name).element_count));
    check(cleanclip_model_read_parameter(get(), name.c_str(), values.data(), values.size()));
    return values;
  }

  /** Replaces the values of a tensor. */
  void setParameter(const std::string &name, const std::vector<float> &values) {
    check(cleanclip_model_write_parameter(get(), name.c_str(), values.data(), values.size()));
  }

  /** Computes features of [count, 3, height, width] pixels in 0 … 1. */
  Features encodeImages(const float *pixels, std::int64_t count, std::int64_t height,
                        std::int64_t width, const EncodeOptions &options = {}) const {
    return encode(count, [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_images_f32(get(), pixels, count, height, width, &options, out,
                                               capacity);
    });
  }

  /** Computes features of [count, height, width, 3] bytes, resized and cropped as CLIP does. */
  Features encodeImages(const std::uint8_t *pixels, std::int64_t count, std::int64_t height,
                        std::int64_t width, const EncodeOptions &options = {}) const {
    return encode(count, [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_images_u8(get(), pixels, count, height, width, &options, out,
                                              capacity);
    });
  }

  /** Computes features of image files. */
  Features encodeImages(const std::vector<std::string> &paths,
                        const EncodeOptions &options = {}) const {
    const std::vector<const char *> pointers = detail::pointers(paths);
    const std::int64_t count = static_cast<std::int64_t>(paths.size());
    return encode(count, [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_image_files(get(), pointers.data(), count, &options, out,
                                                capacity);
    });
  }

  /** Computes features of the graph's own input, [count, 3, imageSize, imageSize]. */
  Features encodeImageInputs(const float *inputs, std::int64_t count,
                             const EncodeOptions &options = {}) const {
    return encode(count, [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_image_inputs(get(), inputs, count, &options, out, capacity);
    });
  }

  /** Computes features of texts. */
  Features encodeTexts(const Tokenizer &tokenizer, const std::vector<std::string> &texts,
                       const EncodeOptions &options = {}) const {
    const std::vector<const char *> pointers = detail::pointers(texts);
    const std::int64_t count = static_cast<std::int64_t>(texts.size());
    return encode(count, [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_texts(get(), tokenizer.get(), pointers.data(), count,
                                          &options, out, capacity);
    });
  }

  /** Computes features of token ids, [count, length]. */
  Features encodeTokens(const std::int32_t *ids, std::int64_t count, std::int64_t length,
                        const EncodeOptions &options = {}) const {
    return encode(count, [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_tokens(get(), ids, count, length, &options, out, capacity);
    });
  }

  cleanclip_model *get() noexcept { return handle_.get(); }
  const cleanclip_model *get() const noexcept { return handle_.get(); }

 private:
  explicit Model(cleanclip_model *handle) : handle_(handle) {}

  cleanclip_parameter_info parameterInfo(const std::string &name) const {
    std::int64_t index = -1;
    check(cleanclip_model_find_parameter(get(), name.c_str(), &index));
    cleanclip_parameter_info info;
    cleanclip_parameter_info_init(&info, sizeof info);
    check(cleanclip_model_parameter_info(get(), index, &info));
    return info;
  }

  template <typename Call>
  Features encode(std::int64_t count, Call call) const {
    Features features;
    features.count = count < 0 ? 0 : count;
    features.embedDim = embedDim();
    // One more, so that data() is not NULL for no row at all.
    features.values.resize(static_cast<std::size_t>(features.count * features.embedDim) + 1);
    check(call(features.values.data(), features.values.size()));
    features.values.pop_back();
    return features;
  }

  detail::Handle<cleanclip_model, cleanclip_model_free> handle_;
};

/** Images with captions, labels or both. */
class Dataset {
 public:
  /** A pair that the program holds; the content lives until the next one is asked for. */
  using PairFunction = std::function<bool(std::int64_t index, cleanclip_pair &pair)>;

  /** cleanclip_dataset_options with its defaults. */
  struct Options : cleanclip_dataset_options {
    Options() { cleanclip_dataset_options_init(this, sizeof(cleanclip_dataset_options)); }
  };

  /** Opens csv and tsv files, tar shards and folders; patterns with `*`. */
  explicit Dataset(const std::vector<std::string> &sources, const Options &options = Options()) {
    const std::vector<const char *> pointers = detail::pointers(sources);
    cleanclip_dataset *handle = nullptr;
    check(cleanclip_dataset_open(pointers.data(), static_cast<std::int64_t>(sources.size()),
                                 &options, &handle));
    handle_.reset(handle);
  }

  /**
   * Makes a dataset of pairs that the program holds.
   *
   * @param function Fills a pair and returns true, or returns false where there is none. It runs on
   *   threads of the library, one at a time.
   */
  Dataset(std::int64_t count, PairFunction function)
      : function_(std::make_unique<PairFunction>(std::move(function))) {
    cleanclip_dataset *handle = nullptr;
    check(cleanclip_dataset_create(count, &Dataset::answer, function_.get(), &handle));
    handle_.reset(handle);
  }

  std::int64_t size() const { return cleanclip_dataset_count(get()); }
  const cleanclip_dataset *get() const noexcept { return handle_.get(); }

 private:
  static std::int32_t answer(std::int64_t index, cleanclip_pair *pair, void *function) noexcept {
    try {
      return (*static_cast<PairFunction *>(function))(index, *pair) ? 0 : 1;
    } catch (...) {
      return 1;
    }
  }

  // Declared before the handle, hence destroyed after it: the library calls it until then.
  std::unique_ptr<PairFunction> function_;
  detail::Handle<cleanclip_dataset, cleanclip_dataset_free> handle_;
};

/** cleanclip_sanitize_options with its defaults. */
struct SanitizeOptions : cleanclip_sanitize_options {
  SanitizeOptions() { cleanclip_sanitize_options_init(this, sizeof(cleanclip_sanitize_options)); }
};

/** What happened in each step of a run. */
class History {
 public:
  explicit History(cleanclip_history *handle) : handle_(handle) {}

  std::int64_t size() const { return cleanclip_history_count(get()); }

  cleanclip_progress operator[](std::int64_t index) const {
    cleanclip_progress progress;
    cleanclip_progress_init(&progress, sizeof progress);
    check(cleanclip_history_step(get(), index, &progress));
    return progress;
  }

  std::string json() const {
    return detail::text([this](char *out, std::size_t capacity, std::size_t *length) {
      return cleanclip_history_json(get(), out, capacity, length);
    });
  }

  const cleanclip_history *get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<cleanclip_history, cleanclip_history_free> handle_;
};

/** Called with progress; returns false to cancel. What it throws comes out of sanitize(). */
using ProgressFunction = std::function<bool(const cleanclip_progress &progress)>;

namespace detail {

/** Carries the function, and what it throws, around the C callback. */
struct Listener {
  const ProgressFunction &function;
  std::exception_ptr error;

  static std::int32_t hear(const cleanclip_progress *progress, void *listener) noexcept {
    Listener &self = *static_cast<Listener *>(listener);
    try {
      return self.function(*progress) ? 0 : 1;
    } catch (...) {
      self.error = std::current_exception();
      return 1;
    }
  }
};

}  // namespace detail

/** Fine-tunes the model on clean pairs so that a backdoor is forgotten; the model is updated. */
inline History sanitize(Model &model, const Tokenizer &tokenizer, const Dataset &dataset,
                        const SanitizeOptions &options = {},
                        const ProgressFunction &progress = nullptr) {
  detail::Listener listener{progress, nullptr};
  cleanclip_history *handle = nullptr;
  const cleanclip_status status = cleanclip_sanitize(
      model.get(), tokenizer.get(), dataset.get(), &options,
      progress ? &detail::Listener::hear : nullptr, &listener, &handle);
  History history(handle);
  if (listener.error) std::rethrow_exception(listener.error);
  check(status);
  return history;
}

/** cleanclip_trigger_options with its defaults. */
struct TriggerOptions : cleanclip_trigger_options {
  TriggerOptions() { cleanclip_trigger_options_init(this, sizeof(cleanclip_trigger_options)); }
};

/** What an attacker puts into an image. */
class Trigger {
 public:
  /** Makes a trigger by name, or of a PNG file. */
  explicit Trigger(const std::string &name, const TriggerOptions &options = {}) {
    cleanclip_trigger *handle = nullptr;
    check(cleanclip_trigger_load(name.c_str(), &options, &handle));
    handle_.reset(handle);
  }

  /** Puts the trigger into [count, height, width, 3] bytes. */
  void apply(std::uint8_t *pixels, std::int64_t count, std::int64_t height, std::int64_t width,
             std::int64_t firstIndex = 0) const {
    check(cleanclip_trigger_apply(get(), pixels, count, firstIndex, height, width));
  }

  const cleanclip_trigger *get() const noexcept { return handle_.get(); }

 private:
  detail::Handle<cleanclip_trigger, cleanclip_trigger_free> handle_;
};

/** cleanclip_poison_options with its defaults. */
struct PoisonOptions : cleanclip_poison_options {
  PoisonOptions() { cleanclip_poison_options_init(this, sizeof(cleanclip_poison_options)); }
};

/** Hears how many of how many are done; returns false to cancel. */
using CountFunction = std::function<bool(std::int64_t done, std::int64_t total)>;

namespace detail {

/** Carries the function, and what it throws, around the C callback. */
struct CountListener {
  const CountFunction &function;
  std::exception_ptr error;

  explicit CountListener(const CountFunction &heard) : function(heard), error(nullptr) {}

  cleanclip_count_callback callback() const { return function ? &CountListener::hear : nullptr; }

  /** Throws what the function threw, or what the library reports. */
  void check(cleanclip_status status) const {
    if (error) std::rethrow_exception(error);
    cleanclip::check(status);
  }

  static std::int32_t hear(std::int64_t done, std::int64_t total, void *listener) noexcept {
    CountListener &self = *static_cast<CountListener *>(listener);
    try {
      return self.function(done, total) ? 0 : 1;
    } catch (...) {
      self.error = std::current_exception();
      return 1;
    }
  }
};

}  // namespace detail

/** Writes a poisoned copy of a set and returns the number of poisoned pairs. */
inline std::int64_t poison(const Dataset &dataset, const Trigger &trigger,
                           const PoisonOptions &options, const std::string &outputPath,
                           const std::string &truthPath = "",
                           const CountFunction &progress = nullptr) {
  detail::CountListener listener(progress);
  std::int64_t poisoned = 0;
  listener.check(cleanclip_dataset_poison(dataset.get(), trigger.get(), &options,
                                          outputPath.c_str(), detail::optional(truthPath),
                                          listener.callback(), &listener, &poisoned));
  return poisoned;
}

/** cleanclip_evaluate_options with its defaults. */
struct EvaluateOptions : cleanclip_evaluate_options {
  EvaluateOptions() { cleanclip_evaluate_options_init(this, sizeof(cleanclip_evaluate_options)); }
};

/** What was measured. */
class Evaluation {
 public:
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
  detail::CountListener listener(progress);
  cleanclip_evaluation *handle = nullptr;
  listener.check(cleanclip_evaluate(model.get(), tokenizer.get(), dataset.get(), &options,
                                    listener.callback(), &listener, &handle));
  return Evaluation(handle);
}

/** cleanclip_report_options with its defaults. */
struct ReportOptions : cleanclip_report_options {
  ReportOptions() { cleanclip_report_options_init(this, sizeof(cleanclip_report_options)); }
};

/** Writes a report: `.html` or `.json`. */
inline void writeReport(const ReportOptions &options, const std::string &path) {
  check(cleanclip_report_write(&options, path.c_str()));
}

}  // namespace cleanclip

#endif
