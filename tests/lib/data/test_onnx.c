/* What an ONNX file keeps of the graph that was told, read back with
 * protobuf-c. That other runtimes compute the same by it is shown in
 * tests/interop/test_onnx.py.
 */
#include "lib/data/onnx.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "tests/support/tmp.h"

#include <onnx/onnx.pb-c.h>

#include <check.h>
#include <string.h>

static char *folder;
static struct onnx *o;
static struct err e;
static Onnx__ModelProto *model;

static const float numbers[] = {1, 2, 3, 4, 5, 6};
static const size_t two[] = {2}, matrix[] = {3, 2};

static void setup(void)
{
    folder = tmp_folder();
    o = onnx_new();
    model = NULL;
}

static void teardown(void)
{
    if (model)
        onnx__model_proto__free_unpacked(model, NULL);
    onnx_free(o);
    tmp_remove(folder);
}

static const Onnx__GraphProto *written(void)
{
    size_t length;
    const char *path = tmp_path(folder, "a.onnx");
    ck_assert_msg(!onnx_write(o, path, "graph", "about it", &e), "%s", e.msg);
    char *bytes = file_read(path, 1 << 20, &length, &e);
    ck_assert(bytes != NULL);
    model = onnx__model_proto__unpack(NULL, length, (const uint8_t *)bytes);
    mem_free(bytes);
    ck_assert(model != NULL);
    return model->graph;
}

static struct onnx_value *input(void)
{
    return onnx_input(o, "input", 1, two);
}

static struct onnx_value *one(const char *type, struct onnx_value *a,
                              struct onnx_value *b)
{
    return onnx_apply(o, &(struct onnx_node){.type = type, .inputs = {a, b}});
}

static struct onnx_value *weights(const char *name, const float *data)
{
    return onnx_constant(o, name, ONNX_FLOAT, data, 2, matrix);
}

START_TEST(a_graph_is_read_back)
{
    struct onnx_value *y = onnx_apply(
        o, &(struct onnx_node){
               .type = "Gemm",
               .inputs = {input(), weights("w", numbers)},
               .attributes = {{"transB", 0, {1}}, {"list", 2, {7, -8}}}});
    onnx_output(o, one("Relu", y, NULL), "code", 1, (const size_t[]){3});
    onnx_meta(o, "first", "1");
    onnx_meta(o, "second", "2");
    const Onnx__GraphProto *g = written();
    ck_assert_str_eq(model->producer_name, "sparsed");
    ck_assert_str_eq(model->doc_string, "about it");
    ck_assert_int_eq(model->ir_version, 7);
    ck_assert_uint_eq(model->n_opset_import, 1);
    ck_assert_int_eq(model->opset_import[0]->version, 13);
    ck_assert_uint_eq(model->n_metadata_props, 2);
    ck_assert_str_eq(model->metadata_props[0]->key, "first");
    ck_assert_str_eq(model->metadata_props[1]->value, "2");
    ck_assert_str_eq(g->name, "graph");
    ck_assert_uint_eq(g->n_input, 1);
    const Onnx__TensorShapeProto *shape = g->input[0]->type->tensor_type->shape;
    ck_assert_uint_eq(shape->n_dim, 2);
    ck_assert_str_eq(shape->dim[0]->dim_param, "B");
    ck_assert_int_eq(shape->dim[1]->dim_value, 2);
    ck_assert_uint_eq(g->n_initializer, 1);
    ck_assert_uint_eq(g->initializer[0]->raw_data.len, sizeof numbers);
    ck_assert(
        !memcmp(g->initializer[0]->raw_data.data, numbers, sizeof numbers));
    ck_assert_uint_eq(g->n_node, 2);
    ck_assert_str_eq(g->node[0]->op_type, "Gemm");
    ck_assert_uint_eq(g->node[0]->n_input, 2);
    ck_assert_str_eq(g->node[0]->input[1], "w");
    ck_assert_uint_eq(g->node[0]->n_attribute, 2);
    ck_assert_int_eq(g->node[0]->attribute[0]->i, 1);
    ck_assert_uint_eq(g->node[0]->attribute[1]->n_ints, 2);
    ck_assert_int_eq(g->node[0]->attribute[1]->ints[1], -8);
    ck_assert_str_eq(g->node[1]->input[0], g->node[0]->output[0]);
    ck_assert_str_eq(g->node[1]->output[0], "code");
    ck_assert_str_eq(g->output[0]->name, "code");
}
END_TEST

START_TEST(what_is_told_twice_is_one_value)
{
    float same[6], other[] = {1, 2, 3, 4, 5, 7};
    memcpy(same, numbers, sizeof same);
    struct onnx_value *x = input(), *w = weights("w", numbers);
    ck_assert_ptr_eq(weights("w", same), w);
    struct onnx_value *v = weights("w", other), *u = weights("u", numbers);
    ck_assert_ptr_ne(v, w);
    ck_assert_ptr_ne(u, w);
    struct onnx_value *sum = one("Add", x, w);
    ck_assert_ptr_eq(one("Add", x, w), sum);
    ck_assert_ptr_ne(one("Sub", x, w), sum);
    ck_assert_ptr_ne(one("Add", x, v), sum);
    struct onnx_node node = {
        .type = "Flatten", .inputs = {x}, .attributes = {{"axis", 0, {1}}}};
    struct onnx_value *flat = onnx_apply(o, &node);
    ck_assert_ptr_eq(onnx_apply(o, &node), flat);
    node.attributes[0].numbers[0] = 2;
    ck_assert_ptr_ne(onnx_apply(o, &node), flat);
    onnx_output(o, one("Add", sum, v), "y", 1, two);
    const Onnx__GraphProto *g = written();
    ck_assert_uint_eq(g->n_initializer, 2);
    ck_assert_str_eq(g->initializer[0]->name, "w");
    ck_assert_str_eq(g->initializer[1]->name, "w_2");
}
END_TEST

START_TEST(what_no_output_needs_is_left_out)
{
    struct onnx_value *x = input();
    struct onnx_value *y = one("Abs", x, NULL);
    one("Add", y, weights("unused", numbers));
    onnx_output(o, one("Sqrt", y, NULL), "y", 1, two);
    const Onnx__GraphProto *g = written();
    ck_assert_uint_eq(g->n_node, 2);
    ck_assert_uint_eq(g->n_initializer, 0);
    ck_assert_str_eq(g->node[0]->op_type, "Abs");
}
END_TEST

START_TEST(one_value_has_two_names)
{
    struct onnx_value *x = input(), *y = one("Abs", x, NULL);
    onnx_output(o, y, "code", 1, two);
    onnx_output(o, y, "groups", 1, two);
    onnx_output(o, x, "as_given", 1, two);
    const Onnx__GraphProto *g = written();
    ck_assert_uint_eq(g->n_node, 3);
    ck_assert_uint_eq(g->n_output, 3);
    ck_assert_str_eq(g->output[0]->name, "code");
    ck_assert_str_eq(g->output[1]->name, "groups");
    ck_assert_str_eq(g->node[1]->op_type, "Identity");
    ck_assert_str_eq(g->node[1]->input[0], "code");
    ck_assert_str_eq(g->node[2]->input[0], "input");
}
END_TEST

START_TEST(a_graph_too_large_for_protobuf_is_refused)
{
    const size_t huge[] = {(size_t)1 << 30, 1};
    struct onnx_value *w = onnx_constant(o, "w", ONNX_FLOAT, numbers, 2, huge);
    onnx_output(o, one("Add", input(), w), "y", 1, two);
    ck_assert_int_eq(onnx_write(o, tmp_path(folder, "a.onnx"), "graph", "", &e),
                     ERR_TOO_LARGE);
    ck_assert_msg(strstr(e.msg, "2147483647") != NULL, "%s", e.msg);
    ck_assert(!file_is_regular(tmp_path(folder, "a.onnx")));
}
END_TEST

START_TEST(an_input_that_is_none_fails_the_file)
{
    onnx_output(o, one("Add", NULL, input()), "y", 1, two);
    ck_assert_int_eq(onnx_write(o, tmp_path(folder, "a.onnx"), "graph", "", &e),
                     ERR_NO_MEMORY);
    ck_assert(!file_is_regular(tmp_path(folder, "a.onnx")));
}
END_TEST

START_TEST(a_path_that_cannot_be_written_is_an_error)
{
    onnx_output(o, one("Abs", input(), NULL), "y", 1, two);
    ck_assert(onnx_write(o, tmp_path(folder, "none/a.onnx"), "graph", "", &e));
    ck_assert_msg(strstr(e.msg, "none/a.onnx") != NULL, "%s", e.msg);
}
END_TEST

Suite *suite_onnx(void);
Suite *suite_onnx(void)
{
    Suite *s = suite_create("onnx");
    TCase *t = tcase_create("file");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_graph_is_read_back);
    tcase_add_test(t, what_is_told_twice_is_one_value);
    tcase_add_test(t, what_no_output_needs_is_left_out);
    tcase_add_test(t, one_value_has_two_names);
    tcase_add_test(t, a_graph_too_large_for_protobuf_is_refused);
    tcase_add_test(t, an_input_that_is_none_fails_the_file);
    tcase_add_test(t, a_path_that_cannot_be_written_is_an_error);
    suite_add_tcase(s, t);
    return s;
}
