/**
 * @file cleanclip/model.hpp
 * @brief Models: loading, saving, weights, features.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_MODEL_HPP
#define CLEANCLIP_MODEL_HPP

#include <cleanclip/model.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "encode.hpp"
#include "handle.hpp"
#include "progress.hpp"
#include "span.hpp"
#include "tokenizer.hpp"

namespace cleanclip {

/** What is known of a tensor of a model. */
struct ParameterInfo {
  /** OpenCLIP's name. */
  std::string name;
  std::vector<std::int64_t> shape;
  /** Whether training changes it. */
  bool isTrainable = false;
};

/** How a checkpoint is read; set its members as in cleanclip_model_options. */
struct ModelOptions : cleanclip_model_options {
  ModelOptions() { cleanclip_model_options_init(this, sizeof(cleanclip_model_options)); }
};

/** Bytes that the library made, such as a checkpoint that goes to no file. */
class Buffer {
 public:
  const unsigned char *data() const noexcept {
    return static_cast<const unsigned char *>(cleanclip_buffer_bytes(handle_.get()));
  }
  std::size_t size() const noexcept { return cleanclip_buffer_size(handle_.get()); }

 private:
  friend class Model;
  explicit Buffer(cleanclip_buffer *handle) : handle_(handle) {}

  detail::Handle<cleanclip_buffer, cleanclip_buffer_free> handle_;
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

  /** Loads a checkpoint with options. */
  Model(const std::string &path, const ModelOptions &options) {
    cleanclip_model *handle = nullptr;
    check(cleanclip_model_load_with(path.c_str(), &options, &handle));
    handle_.reset(handle);
  }

  /** Loads a checkpoint from the bytes of an ONNX or safetensors file, which are copied. */
  static Model load(Span<const unsigned char> bytes, const ModelOptions &options = {}) {
    return load(bytes, {}, options);
  }

  /** Loads a checkpoint from the bytes of the ONNX files of its image and of its text tower. */
  static Model load(Span<const unsigned char> visual, Span<const unsigned char> textual,
                    const ModelOptions &options = {}) {
    cleanclip_model *handle = nullptr;
    check(cleanclip_model_load_buffer(visual.data(), visual.size(), textual.data(), textual.size(),
                                      &options, &handle));
    return Model(handle);
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

  /** Saves to memory: "onnx" or "safetensors". */
  Buffer saveBuffer(const std::string &form) const {
    cleanclip_buffer *handle = nullptr;
    check(cleanclip_model_save_buffer(get(), form.c_str(), &handle));
    return Buffer(handle);
  }

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

  /** Returns what all tensors are, in the order of the state dictionary. */
  std::vector<ParameterInfo> parameters() const {
    std::vector<ParameterInfo> result;
    for (std::int64_t i = 0; i < cleanclip_model_parameter_count(get()); ++i) {
      result.push_back(parameterInfo(i));
    }
    return result;
  }

  /** Returns what a tensor is. */
  ParameterInfo parameterInfo(const std::string &name) const {
    std::int64_t index = -1;
    check(cleanclip_model_find_parameter(get(), name.c_str(), &index));
    return parameterInfo(index);
  }

  /** Returns the values of a tensor. */
  std::vector<float> parameter(const std::string &name) const {
    std::size_t count = 1;
    for (const std::int64_t dimension : parameterInfo(name).shape) {
      count *= static_cast<std::size_t>(dimension);
    }
    std::vector<float> values(count);
    check(cleanclip_model_read_parameter(get(), name.c_str(), values.data(), values.size()));
    return values;
  }

  /** Replaces the values of a tensor. */
  void setParameter(const std::string &name, Span<const float> values) {
    check(cleanclip_model_write_parameter(get(), name.c_str(), values.data(), values.size()));
  }

  /** Computes features of [count, 3, height, width] pixels in 0 … 1. */
  Features encodeImages(Span<const float> pixels, std::int64_t count, std::int64_t height,
                        std::int64_t width, const EncodeOptions &options = {}) const {
    const float *data = detail::elements(pixels, {count, 3, height, width}, "pixels");
    return encode(count, [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_images_f32(get(), data, count, height, width, &options, out,
                                               capacity);
    });
  }

  /** Computes features of [count, height, width, 3] bytes, resized and cropped as CLIP does. */
  Features encodeImages(Span<const std::uint8_t> pixels, std::int64_t count, std::int64_t height,
                        std::int64_t width, const EncodeOptions &options = {}) const {
    const std::uint8_t *data = detail::elements(pixels, {count, height, width, 3}, "pixels");
    return encode(count, [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_images_u8(get(), data, count, height, width, &options, out,
                                              capacity);
    });
  }

  /** Computes features of image files. */
  Features encodeImages(const std::vector<std::string> &paths,
                        const EncodeOptions &options = {}) const {
    const detail::Pointers pointers(paths);
    return encode(pointers.size(), [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_image_files(get(), pointers.data(), pointers.size(), &options,
                                                out, capacity);
    });
  }

  /** Computes features of the graph's own input, [count, 3, imageSize, imageSize]. */
  Features encodeImageInputs(Span<const float> inputs, std::int64_t count,
                             const EncodeOptions &options = {}) const {
    const float *data = detail::elements(inputs, {count, 3, imageSize(), imageSize()}, "inputs");
    return encode(count, [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_image_inputs(get(), data, count, &options, out, capacity);
    });
  }

  /** Computes features of the images of a dataset, in its order; the function may cancel. */
  Features encodeImages(const Dataset &dataset, const EncodeOptions &options = {},
                        const CountFunction &progress = nullptr) const {
    detail::CountListener listener(progress, &dataset);
    return encode(dataset.size(), [&](float *out, std::size_t capacity) {
      const cleanclip_status status = cleanclip_model_encode_dataset(
          get(), dataset.get(), &options, detail::countCallback, &listener, out, capacity);
      listener.check(status);
      return status;
    });
  }

  /** Computes features of texts. */
  Features encodeTexts(const Tokenizer &tokenizer, const std::vector<std::string> &texts,
                       const EncodeOptions &options = {}) const {
    const detail::Pointers pointers(texts);
    return encode(pointers.size(), [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_texts(get(), tokenizer.get(), pointers.data(), pointers.size(),
                                          &options, out, capacity);
    });
  }

  /** Computes features of token ids, [count, length]. */
  Features encodeTokens(Span<const std::int32_t> ids, std::int64_t count, std::int64_t length,
                        const EncodeOptions &options = {}) const {
    const std::int32_t *data = detail::elements(ids, {count, length}, "ids");
    return encode(count, [&](float *out, std::size_t capacity) {
      return cleanclip_model_encode_tokens(get(), data, count, length, &options, out, capacity);
    });
  }

  cleanclip_model *get() noexcept { return handle_.get(); }
  const cleanclip_model *get() const noexcept { return handle_.get(); }

 private:
  explicit Model(cleanclip_model *handle) : handle_(handle) {}

  ParameterInfo parameterInfo(std::int64_t index) const {
    cleanclip_parameter_info info;
    cleanclip_parameter_info_init(&info, sizeof info);
    check(cleanclip_model_parameter_info(get(), index, &info));
    return {info.name, {info.dimensions, info.dimensions + info.rank}, info.is_trainable != 0};
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

}  // namespace cleanclip

#endif
