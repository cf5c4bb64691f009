/**
 * @file connx_builder.h
 * Writing of ONNX files: a graph is put together node by node and streamed to a file.
 *
 * Payloads of weights are borrowed until `connx_builder_write` returned, and never copied. Functions
 * return 1, or 0 when memory ran out. No function throws.
 */
#ifndef CONNX_BUILDER_H
#define CONNX_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A graph in the making. */
typedef struct connx_builder connx_builder;

/** Starts a model, produced by this version of cleanclip; NULL when memory ran out. */
connx_builder *connx_builder_create(int64_t ir_version, int64_t opset);

/** Frees a builder; NULL is a no-op. */
void connx_builder_free(connx_builder *builder);

/**
 * Adds a graph input (`is_output` 0) or output (1).
 *
 * @param[in] element_type a TensorProto.DataType.
 * @param[in] dimensions `rank` texts: a number, or the name of a dynamic dimension.
 */
int32_t connx_builder_value(
    connx_builder *builder, int32_t is_output, const char *name, int32_t element_type,
    const char *const *dimensions, size_t rank);

/** Adds a node; attributes that follow belong to it. */
int32_t connx_builder_node(
    connx_builder *builder, const char *type, const char *name, const char *const *inputs,
    size_t input_count, const char *output);

/** Adds another output to the last node. */
int32_t connx_builder_node_output(connx_builder *builder, const char *output);

/** Adds an attribute to the last node. */
int32_t connx_builder_int(connx_builder *builder, const char *name, int64_t value);
int32_t connx_builder_float(connx_builder *builder, const char *name, float value);
int32_t connx_builder_ints(
    connx_builder *builder, const char *name, const int64_t *values, size_t count);

/**
 * Adds an initializer.
 *
 * @param[in] location NULL for a payload inside the file; else the name of the file beside it that
 *   holds the payload from `offset` on.
 */
int32_t connx_builder_initializer(
    connx_builder *builder, const char *name, int32_t element_type, const int64_t *dimensions,
    size_t rank, const void *payload, size_t length, const char *location, uint64_t offset);

/** Adds an entry of free text to the model. */
int32_t connx_builder_metadata(connx_builder *builder, const char *key, const char *value);

/** Takes bytes of the file, in order; 0 stops the writing. */
typedef int32_t (*connx_sink)(const void *bytes, size_t length, void *user_data);

/**
 * Streams the file.
 *
 * @return 1; 0 when the sink stopped or memory ran out; -1 when the file would have 2 GiB or more,
 *   which protobuf does not allow: payloads must go to a file of their own.
 */
int32_t connx_builder_write(connx_builder *builder, connx_sink sink, void *user_data);

#ifdef __cplusplus
}
#endif
#endif
