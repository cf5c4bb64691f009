/**
 * @file connx.h
 * Reading of ONNX files: the protobuf message as plain C structures.
 *
 * Weights are not read: a tensor tells where its payload is in the file. Every string
 * and array that a function returns belongs to the model and lives as long as it does; strings are
 * arbitrary bytes. No function throws or terminates the process. A model is immutable, so several
 * threads may read it.
 */
#ifndef CONNX_H
#define CONNX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A parsed model. */
typedef struct connx_model connx_model;

/** Bytes that are probably UTF-8, not terminated. */
typedef struct connx_string {
  const char *data;
  size_t length;
} connx_string;

/** What `connx_model_info` tells. */
typedef struct connx_model_info {
  int64_t ir_version;
  connx_string producer_name;
  connx_string producer_version;
  size_t opsets;
  size_t functions;
  /** The model's graph, which is number 0, and branches of nodes. */
  size_t graphs;
  /** Nodes of all graphs. */
  size_t nodes;
  size_t inputs;
  size_t outputs;
  /** Initializers of all graphs, which come first, and tensors of node attributes. */
  size_t tensors;
  size_t sparse_initializers;
  /** Entries of free text, by key and value. */
  size_t metadata;
} connx_model_info;

/** A graph: ranges of the model's nodes and tensors. */
typedef struct connx_graph {
  size_t first_node;
  size_t nodes;
  size_t first_initializer;
  size_t initializers;
  size_t outputs;
} connx_graph;

/** A node without its lists. */
typedef struct connx_node {
  connx_string op_type;
  connx_string domain;
  connx_string name;
  size_t inputs;
  size_t outputs;
  size_t attributes;
} connx_node;

/** An attribute; `type` has the values of AttributeProto.AttributeType. */
typedef struct connx_attribute {
  connx_string name;
  int32_t type;
  float f;
  int64_t i;
  connx_string s;
  const float *floats;
  size_t floats_count;
  const int64_t *ints;
  size_t ints_count;
  /** Index of the tensor; -1 when there is none. */
  int64_t tensor;
  /** Index of the graph; -1 when there is none. */
  int64_t graph;
  /** Whether the file has bytes of `f`, which can be replaced. */
  int32_t has_f;
} connx_attribute;

/** A graph input or output. */
typedef struct connx_value {
  connx_string name;
  /** TensorProto.DataType; 0 when not a tensor. */
  int32_t element_type;
  size_t rank;
  /** Whether the file gives a shape at all. */
  int32_t has_shape;
} connx_value;

/** Where a tensor's elements are. */
typedef enum connx_storage {
  CONNX_STORAGE_NONE = 0,
  /** `raw_data`: the content of `payload`. */
  CONNX_STORAGE_RAW = 1,
  /** Packed `float_data`: the content of `payload`. */
  CONNX_STORAGE_FLOATS = 2,
  /** `int32_data`, which also holds 8- and 16-bit types as bit patterns. */
  CONNX_STORAGE_INT32 = 3,
  CONNX_STORAGE_INT64 = 4,
  CONNX_STORAGE_DOUBLE = 5,
  CONNX_STORAGE_UINT64 = 6,
  /** Another file. */
  CONNX_STORAGE_EXTERNAL = 7,
  /** Strings, segments, or more than one form at a time. */
  CONNX_STORAGE_OTHER = 8
} connx_storage;

/** A tensor. */
typedef struct connx_tensor {
  connx_string name;
  /** TensorProto.DataType. */
  int32_t data_type;
  const int64_t *dims;
  size_t rank;
  connx_storage storage;
  /** Whether the file has a raw, packed float or packed int32 field, and where its content is. */
  int32_t has_payload;
  size_t payload_offset;
  size_t payload_length;
  /** Elements of the typed forms from INT32 to UINT64. */
  const void *elements;
  size_t elements_count;
  /** External data: texts as the file gives them, empty when absent. */
  connx_string location;
  connx_string offset;
  connx_string length;
} connx_tensor;

/** Reads `length` bytes of a file at `offset`, which are inside it; 0 when that fails. */
typedef int32_t (*connx_reader)(size_t offset, size_t length, void *target, void *user_data);

/**
 * Parses a model.
 *
 * @param[in] reader called for the duration of the call only; payloads of weights are not read.
 * @param[in] length bytes of the file.
 * @param[out] message why it failed, terminated, cut at `capacity` bytes.
 * @return NULL on failure.
 */
connx_model *connx_model_parse(
    connx_reader reader, void *user_data, size_t length, char *message, size_t capacity);

/** Frees a model; NULL is a no-op. */
void connx_model_free(connx_model *model);

/** Describes the model. */
connx_model_info connx_model_describe(const connx_model *model);

/** The domain and version of operator set `index`. */
connx_string connx_opset(const connx_model *model, size_t index, int64_t *out_version);

/** The key and the value of entry `index` of free text. */
connx_string connx_metadata(const connx_model *model, size_t index, connx_string *out_value);

/** Describes graph `index`. */
connx_graph connx_graph_at(const connx_model *model, size_t index);

/** The name of an output of graph `index`. */
connx_string connx_graph_output(const connx_model *model, size_t index, size_t output);

/** Describes node `index`. */
connx_node connx_node_at(const connx_model *model, size_t index);

/** The name of input `input` of node `node`. */
connx_string connx_node_input(const connx_model *model, size_t node, size_t input);

/** The name of output `output` of node `node`. */
connx_string connx_node_output(const connx_model *model, size_t node, size_t output);

/** Describes attribute `index` of node `node`. */
connx_attribute connx_attribute_at(const connx_model *model, size_t node, size_t index);

/** Describes a graph input (`is_output` 0) or output (1). */
connx_value connx_value_at(const connx_model *model, int32_t is_output, size_t index);

/** One size of a graph input or output; -1 when it has a name or nothing. */
int64_t connx_dimension_at(
    const connx_model *model, int32_t is_output, size_t index, size_t axis);

/** Describes a tensor. */
connx_tensor connx_tensor_at(const connx_model *model, size_t index);

#ifdef __cplusplus
}
#endif
#endif
