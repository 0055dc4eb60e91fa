;; files: 
;; parsed if: tracekit otel_service_name otel_resource services:

; ---- containers: services of compose files, what is set in their environment
((block_mapping_pair key: (flow_node) @_s
   value: (block_node (block_mapping (block_mapping_pair key: (flow_node) @name value: (block_node))))) @container
  (#eq? @_s "services"))
((block_mapping_pair key: (flow_node) @name value: (flow_node) @value) @setting
  (#match? @name "^['\"]?(TRACEKIT_|OTEL_SERVICE_NAME|OTEL_RESOURCE_ATTRIBUTES)"))
((block_sequence_item (flow_node) @name) @setting.line
  (#match? @name "^['\"]?(TRACEKIT_|OTEL_SERVICE_NAME|OTEL_RESOURCE_ATTRIBUTES)"))
((block_mapping (block_mapping_pair key: (flow_node) @_n value: (flow_node) @name)
   (block_mapping_pair key: (flow_node) @_v value: (flow_node) @value)) @setting
  (#eq? @_n "name") (#eq? @_v "value") (#match? @name "^['\"]?(TRACEKIT_|OTEL_SERVICE_NAME)"))

; ---- Spring's application.yml, and Laravel's and others' likes
((block_mapping_pair key: (flow_node) @_t
   value: (block_node (block_mapping (block_mapping_pair key: (flow_node) @name value: (flow_node) @value)))) @setting.option
  (#match? @_t "^tracekit$"))
