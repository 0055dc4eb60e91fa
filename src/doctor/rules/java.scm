;; files: .java
;; parsed if: tracekit tk_server_ tk_browser_ tk_read_ tk_admin_ https?://([\w-]+(:\d+)?([/'"`]|$)|127\.|[\w.-]+\.(svc|internal)\b) x-b3- trace-id traceid allowedheaders allow-headers corsconfiguration crossorigin springapplication
;; env: System.getenv("TRACEKIT_API_KEY")

(variable_declarator name: (identifier) @name value: (_) @value) @constant
(import_declaration (scoped_identifier) @name) @import

; ---- the SDK is started, and with what
((method_invocation object: (identifier) @_o name: (identifier) @_m arguments: (argument_list) @value) @init
  (#match? @_o "(?i)^tracekit(SDK)?$") (#match? @_m "^(create|init)$"))
((method_invocation name: (identifier) @name arguments: (argument_list) @value) @option
  (#match? @name "^(apiKey|serviceName|endpoint)$") (#set! needs "racekit"))
((method_invocation name: (identifier) @name arguments: (argument_list) @value) @option
  (#match? @name "^set(ApiKey|ServiceName|Endpoint)$") (#set! needs "racekit"))

; ---- the server: Spring Boot's starter adds its filter by itself, the SDK alone does not
((method_invocation object: (identifier) @_o name: (identifier) @_m) @app
  (#eq? @_o "SpringApplication") (#eq? @_m "run") (#set! framework "Spring Boot")
  (#set! cure "ask for tracekit-spring-boot-starter, which sees each request"))
((type_identifier) @middleware (#match? @middleware "(?i)^tracekit\\w*(Filter|Interceptor)$"))

; ---- requests by a client that carries no trace: one that Spring's builders did not make
((method_invocation object: (_) @_o name: (identifier) @name arguments: (argument_list . (_) @value)) @request.built
  (#match? @_o "(?i)rest_?template$") (#match? @name "^(getForObject|getForEntity|postForObject|postForEntity|exchange)$"))
((object_creation_expression type: (type_identifier) @_t) @raw.client
  (#match? @_t "^(RestTemplate|OkHttpClient)$"))
((method_invocation object: (identifier) @_o name: (identifier) @_m) @raw.client
  (#eq? @_o "HttpClient") (#match? @_m "^(newHttpClient|newBuilder)$"))
((method_invocation object: (identifier) @_o name: (identifier) @_m arguments: (argument_list . (_) @value)) @request.built
  (#eq? @_o "URI") (#eq? @_m "create") (#set! needs "HttpRequest"))
((method_invocation object: (_) @_o name: (identifier) @name arguments: (argument_list . (_) @value)) @request.built
  (#match? @_o "Request\\.Builder\\(\\)$") (#eq? @name "url"))
((method_invocation object: (identifier) @name name: (identifier) @_m arguments: (argument_list . (_) @value)) @request
  (#match? @name "^(WebClient|RestClient)$") (#eq? @_m "create"))
((method_invocation object: (object_creation_expression type: (type_identifier) @_t arguments: (argument_list . (_) @value))
   name: (identifier) @name) @request
  (#eq? @_t "URL") (#match? @name "^(openConnection|openStream)$"))

; ---- CORS
((expression_statement (method_invocation)) @cors
  (#match? @cors "\\.addMapping\\(") (#set! framework "CorsRegistry") (#set! headers "all"))
((block (local_variable_declaration declarator: (variable_declarator value: (object_creation_expression
   type: (type_identifier) @_t)))) @cors
  (#eq? @_t "CorsConfiguration") (#set! framework "CorsConfiguration"))
((annotation name: (identifier) @_n arguments: (annotation_argument_list)) @cors
  (#eq? @_n "CrossOrigin") (#set! framework "@CrossOrigin") (#set! headers "all"))
((method_invocation name: (identifier) @_m arguments: (argument_list) @value) @cors.headers
  (#match? @_m "^(allowedHeaders|setAllowedHeaders|addAllowedHeader)$") (#set! headers "mirrored"))
((method_invocation name: (identifier) @_m @value) @cors.headers (#eq? @_m "applyPermitDefaultValues"))
((method_invocation name: (identifier) @_m arguments: (argument_list) @value) @cors.origin
  (#match? @_m "^(allowedOrigins|setAllowedOrigins|addAllowedOrigin)$"))
((method_invocation name: (identifier) @_m arguments: (argument_list) @value) @cors.credentials
  (#match? @_m "^(allowCredentials|setAllowCredentials)$"))
((element_value_pair key: (identifier) @_k value: (_) @value) @cors.headers
  (#eq? @_k "allowedHeaders") (#set! headers "mirrored"))
((element_value_pair key: (identifier) @_k value: (_) @value) @cors.origin (#match? @_k "^(origins|value)$"))
((element_value_pair key: (identifier) @_k value: (_) @value) @cors.credentials (#eq? @_k "allowCredentials"))

; ---- headers that others cannot continue
((method_invocation name: (identifier) @_m arguments: (argument_list . (string_literal) @name . (_))) @header
  (#match? @_m "^(set|add|header|setHeader|addHeader)$") (#proprietary? @name))
