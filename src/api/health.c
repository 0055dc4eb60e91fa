/* health - alive, and ready for spans. */
#include "api/private.h"

void
tk_route_healthz(struct tk_call *call)
{
    tk_reply_static(call, 200, TK_STR("application/json"), TK_STR("{\"status\":\"ok\"}"));
}

void
tk_route_readyz(struct tk_call *call)
{
    struct tk_error err = {0};
    enum tk_err result = tk_store_ready(call->api->options.store, &err);
    if (result == TK_OK)
        tk_reply_static(call, 200, TK_STR("application/json"), TK_STR("{\"status\":\"ready\"}"));
    else
        tk_reply_problem(call, 503, "Not ready", "%s",
                         err.message[0] != '\0' ? err.message : tk_err_text(result));
}
