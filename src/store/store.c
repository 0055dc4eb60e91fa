/* store - the calls of store.h, passed on to whichever fulfilment was opened. */
#include "store/count.h"

enum tk_err
tk_store_append(struct tk_store *store, const struct tk_store_append *append, struct tk_error *err)
{
    return store->vtable->append(store, append, err);
}

enum tk_err
tk_store_seal(struct tk_store *store, struct tk_error *err)
{
    return store->vtable->seal(store, err);
}

enum tk_err
tk_store_drop(struct tk_store *store, uint32_t project, struct tk_error *err)
{
    return store->vtable->drop(store, project, err);
}

enum tk_err
tk_store_set_limits(struct tk_store *store, uint32_t project, const struct tk_store_limits *limits,
                    struct tk_error *err)
{
    return store->vtable->set_limits(store, project, limits, err);
}

void
tk_store_get_stats(struct tk_store *store, struct tk_store_stats *ret_stats)
{
    store->vtable->get_stats(store, ret_stats);
}

enum tk_err
tk_store_usage(struct tk_store *store, uint32_t project, const struct tk_store_limits *limits,
               struct tk_store_usage *ret_usage, struct tk_error *err)
{
    return store->vtable->usage(store, project, limits, ret_usage, err);
}

enum tk_err
tk_store_ready(struct tk_store *store, struct tk_error *err)
{
    return store->vtable->ready(store, err);
}

void
tk_store_close(struct tk_store *store)
{
    if (store != NULL)
        store->vtable->close(store);
}

enum tk_err
tk_store_view_open(struct tk_store *store, uint32_t project, struct tk_store_view **ret_view,
                   struct tk_error *err)
{
    return store->vtable->view_open(store, project, ret_view, err);
}

void
tk_store_view_close(struct tk_store_view *view)
{
    if (view != NULL)
        view->vtable->view_close(view);
}

enum tk_err
tk_store_find(struct tk_store_view *view, struct tk_trace_id id, const struct tk_store_want *want,
              struct tk_batch *to, struct tk_error *err)
{
    return view->vtable->find(view, id, want, to, err);
}

enum tk_err
tk_store_stamp(struct tk_store_view *view, struct tk_trace_id id, uint64_t *ret_stamp,
               struct tk_error *err)
{
    return view->vtable->stamp(view, id, ret_stamp, err);
}

enum tk_err
tk_store_scan_open(struct tk_store_view *view, const struct tk_store_range *range,
                   struct tk_store_scan **ret_scan, struct tk_error *err)
{
    return view->vtable->scan_open(view, range, ret_scan, err);
}

enum tk_err
tk_store_scan_next(struct tk_store_scan *scan, struct tk_store_trace *ret_trace,
                   struct tk_error *err)
{
    return scan->vtable->scan_next(scan, ret_trace, err);
}

void
tk_store_scan_close(struct tk_store_scan *scan)
{
    if (scan != NULL)
        scan->vtable->scan_close(scan);
}

enum tk_err
tk_store_operations(struct tk_store_view *view, const struct tk_store_range *range,
                    enum tk_err (*each)(void *arg, tk_str service, tk_str name, int32_t kind,
                                        const struct tk_store_count *count),
                    void *arg, struct tk_error *err)
{
    bool has = view->vtable->operations != NULL;
    return (has ? view->vtable->operations : tk_count_operations)(view, range, each, arg, err);
}

enum tk_err
tk_store_keys(struct tk_store_view *view,
              enum tk_err (*each)(void *arg, enum tk_owner owner, tk_str key,
                                  enum tk_value_type type),
              void *arg, struct tk_error *err)
{
    bool has = view->vtable->keys != NULL;
    return (has ? view->vtable->keys : tk_count_keys)(view, each, arg, err);
}

enum tk_err
tk_store_values(struct tk_store_view *view, unsigned owners, tk_str key, tk_str prefix,
                const struct tk_store_range *range,
                enum tk_err (*each)(void *arg, struct tk_value value,
                                    const struct tk_store_count *count),
                void *arg, struct tk_error *err)
{
    struct tk_count_values values = {.owners = owners,
                                     .key = key,
                                     .prefix = prefix,
                                     .want_durations = (range->details & TK_COUNT_DURATIONS) != 0,
                                     .each = each,
                                     .arg = arg};
    bool has = view->vtable->values != NULL;
    enum tk_err code = (has ? view->vtable->values : tk_count_values)(view, range, &values, err);
    tk_count_values_release(&values);
    return code;
}
