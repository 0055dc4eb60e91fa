;; files: .go
;; parsed if: tracekit tk_server_ tk_browser_ tk_read_ tk_admin_ https?://([\w-]+(:\d+)?([/'"`]|$)|127\.|[\w.-]+\.(svc|internal)\b) x-b3- trace-id traceid cors allow-headers listenandserve gin\.(default|new) echo\.new "port"
;; env: os.Getenv("TRACEKIT_API_KEY")

; ---- names for values, and which packages a file uses
(const_spec name: (identifier) @name value: (expression_list . (_) @value)) @constant
(var_spec name: (identifier) @name value: (expression_list . (_) @value)) @constant
(short_var_declaration left: (expression_list . (identifier) @name)
  right: (expression_list . (_) @value)) @constant
(import_spec path: (interpreted_string_literal) @name) @import

; ---- the SDK is started, and with what
((call_expression function: (selector_expression operand: (identifier) @_p field: (field_identifier) @_f)
   arguments: (argument_list) @value) @init
  (#eq? @_f "NewSDK") (#match? @_p "(?i)tracekit"))
((keyed_element key: (literal_element (identifier) @name) value: (literal_element (_) @value)) @option
  (#match? @name "^(APIKey|ServiceName|Endpoint|TracePropagationTargets|Disabled)$"))
((assignment_statement left: (expression_list (selector_expression field: (field_identifier) @name))
   right: (expression_list (_) @value)) @option
  (#match? @name "^(APIKey|ServiceName|Endpoint)$") (#set! needs "racekit.Config"))

; ---- the server: what it is made with, the SDK's middleware, its routes, its port
((var_spec name: (identifier) @name
   value: (expression_list . (call_expression function: (selector_expression
     operand: (identifier) @_p field: (field_identifier) @_f)))) @app
  (#eq? @_p "gin") (#match? @_f "^(Default|New)$") (#set! framework "Gin")
  (#set! cure "r.Use(sdk.GinMiddleware())"))
((short_var_declaration left: (expression_list . (identifier) @name)
   right: (expression_list . (call_expression function: (selector_expression
     operand: (identifier) @_p field: (field_identifier) @_f)))) @app
  (#eq? @_p "gin") (#match? @_f "^(Default|New)$") (#set! framework "Gin")
  (#set! cure "r.Use(sdk.GinMiddleware())"))
((short_var_declaration left: (expression_list . (identifier) @name)
   right: (expression_list . (call_expression function: (selector_expression
     operand: (identifier) @_p field: (field_identifier) @_f)))) @app
  (#eq? @_p "echo") (#eq? @_f "New") (#set! framework "Echo")
  (#set! cure "e.Use(sdk.EchoMiddleware())"))
((short_var_declaration left: (expression_list . (identifier) @name)
   right: (expression_list . (call_expression function: (selector_expression
     operand: (identifier) @_p field: (field_identifier) @_f)))) @app
  (#eq? @_p "http") (#eq? @_f "NewServeMux") (#set! framework "net/http")
  (#set! cure "http.ListenAndServe(addr, sdk.HTTPHandler(mux, \"\"))"))
((short_var_declaration left: (expression_list . (identifier) @name)
   right: (expression_list . (call_expression function: (selector_expression
     operand: (identifier) @_p field: (field_identifier) @_f)))) @app
  (#match? @_p "^(chi|mux)$") (#eq? @_f "NewRouter") (#set! framework "the router")
  (#set! cure "r.Use(tracekitchi.Middleware(sdk)) of chi, r.Use(sdk.HTTPMiddleware(\"\")) of another"))
((call_expression function: (selector_expression operand: (identifier) @_p field: (field_identifier) @_f)) @app
  (#eq? @_p "http") (#eq? @_f "HandleFunc") (#set! framework "net/http")
  (#set! cure "http.ListenAndServe(addr, sdk.HTTPHandler(http.DefaultServeMux, \"\"))"))
((call_expression function: (selector_expression operand: (identifier) @name field: (field_identifier) @_u)
   arguments: (argument_list (_) @_a)) @middleware
  (#match? @_u "^(Use|Pre)$") (#match? @_a "(Gin|Echo|HTTP)Middleware\\(|tracekitchi\\.Middleware"))
((call_expression function: (selector_expression field: (field_identifier) @_f)) @middleware
  (#match? @_f "^HTTP(Handler|Middleware)$"))
((call_expression function: (selector_expression operand: (identifier) @name field: (field_identifier) @_m)
   arguments: (argument_list . (interpreted_string_literal) . (_))) @route
  (#match? @_m "^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|Any|Group|Handle|Static)$"))
((call_expression function: (selector_expression operand: (identifier) @name field: (field_identifier) @_m)
   arguments: (argument_list . (interpreted_string_literal) . (_))) @route
  (#match? @_m "^(Get|Post|Put|Patch|Delete|Mount|Route)$") (#set! needs "go-chi"))
((call_expression function: (selector_expression field: (field_identifier) @_m)
   arguments: (argument_list . (_) @value)) @listen
  (#match? @_m "^(Run|Start|ListenAndServe|ListenAndServeTLS)$"))
((keyed_element key: (literal_element (identifier) @_k) value: (literal_element (_) @value)) @listen
  (#eq? @_k "Addr"))
((call_expression arguments: (argument_list . (interpreted_string_literal) @_n . (_) @value)) @listen
  (#eq? @_n "\"PORT\""))

; ---- requests by a client that carries no trace
((call_expression function: (selector_expression operand: (_) @_p field: (field_identifier) @_m) @name
   arguments: (argument_list . (_) @value)) @request
  (#match? @_p "^http(\\.DefaultClient)?$") (#match? @_m "^(Get|Post|PostForm|Head)$"))
((call_expression function: (selector_expression operand: (_) @_p field: (field_identifier) @_m) @name
   arguments: (argument_list . (_) . (_) @value)) @request.built
  (#eq? @_p "http") (#eq? @_m "NewRequest"))
((call_expression function: (selector_expression operand: (_) @_p field: (field_identifier) @_m) @name
   arguments: (argument_list . (_) . (_) . (_) @value)) @request.built
  (#eq? @_p "http") (#eq? @_m "NewRequestWithContext"))
((call_expression function: (selector_expression operand: (_) @_p field: (field_identifier) @_m)) @raw.client
  (#eq? @_p "http.DefaultClient") (#eq? @_m "Do"))
((composite_literal type: (qualified_type package: (package_identifier) @_p name: (type_identifier) @_t)) @raw.client
  (#eq? @_p "http") (#eq? @_t "Client") (#set! unless "HTTPClient("))
((call_expression function: (selector_expression operand: (identifier) @_p field: (field_identifier) @_m) @name
   arguments: (argument_list . (_) @value)) @request.built
  (#match? @_p "(?i)client$") (#match? @_m "^(Get|Post|PostForm|Head)$"))

; ---- CORS
((call_expression function: (selector_expression operand: (identifier) @_p field: (field_identifier) @_m)) @cors
  (#eq? @_p "cors") (#match? @_m "^(DefaultConfig|Default)$") (#set! framework "gin-contrib/cors"))
((composite_literal type: (qualified_type package: (package_identifier) @_p name: (type_identifier) @_t)) @cors
  (#eq? @_p "cors") (#eq? @_t "Config") (#set! framework "gin-contrib/cors"))
((composite_literal type: (qualified_type package: (package_identifier) @_p name: (type_identifier) @_t)) @cors
  (#eq? @_p "cors") (#eq? @_t "Options") (#set! framework "cors"))
((composite_literal type: (qualified_type name: (type_identifier) @_t)) @cors
  (#eq? @_t "CORSConfig") (#set! framework "Echo's CORS") (#set! headers "all"))
((keyed_element key: (literal_element (identifier) @_k) value: (literal_element (_) @value)) @cors.headers
  (#eq? @_k "AllowHeaders"))
((keyed_element key: (literal_element (identifier) @_k) value: (literal_element (_) @value)) @cors.headers
  (#eq? @_k "AllowedHeaders") (#set! headers "mirrored"))
((keyed_element key: (literal_element (identifier) @_k) value: (literal_element (_) @value)) @cors.origin
  (#match? @_k "^Allow(ed)?(All)?Origins$"))
((keyed_element key: (literal_element (identifier) @_k) value: (literal_element (_) @value)) @cors.credentials
  (#eq? @_k "AllowCredentials"))
((assignment_statement left: (expression_list (selector_expression field: (field_identifier) @_k))
   right: (expression_list (_) @value)) @cors.headers
  (#eq? @_k "AllowHeaders"))
((call_expression function: (selector_expression field: (field_identifier) @_k)
   arguments: (argument_list) @value) @cors.headers
  (#eq? @_k "AddAllowHeaders"))
((assignment_statement left: (expression_list (selector_expression field: (field_identifier) @_k))
   right: (expression_list (_) @value)) @cors.origin
  (#match? @_k "^Allow(All)?Origins$"))
((assignment_statement left: (expression_list (selector_expression field: (field_identifier) @_k))
   right: (expression_list (_) @value)) @cors.credentials
  (#eq? @_k "AllowCredentials"))
((call_expression arguments: (argument_list . (interpreted_string_literal) @_h . (_) @value)) @cors.alone.headers
  (#match? @_h "(?i)^.access-control-allow-headers.$"))
((call_expression arguments: (argument_list . (interpreted_string_literal) @_h . (_) @value)) @cors.alone.origin
  (#match? @_h "(?i)^.access-control-allow-origin.$"))
((call_expression arguments: (argument_list . (interpreted_string_literal) @_h . (_) @value)) @cors.alone.credentials
  (#match? @_h "(?i)^.access-control-allow-credentials.$"))

; ---- headers that others cannot continue
((call_expression function: (selector_expression field: (field_identifier) @_m)
   arguments: (argument_list . (interpreted_string_literal) @name . (_))) @header
  (#match? @_m "^(Set|Add|SetHeader|Header)$") (#proprietary? @name))
