/* openapi_schemas.json inside the binary, as the text tk_openapi_components (openapi.c). */
    .section .rodata
    .global tk_openapi_components
    .type tk_openapi_components, %object
tk_openapi_components:
    .incbin "api/openapi_schemas.json"
    .byte 0
    .size tk_openapi_components, . - tk_openapi_components
    .section .note.GNU-stack, "", %progbits
