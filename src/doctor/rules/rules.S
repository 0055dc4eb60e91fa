/* rules/NAME.scm inside the binary, each as a NUL-terminated text (language.c). */
    .section .rodata
    .macro queries name, file
    .global tk_doctor_rules_\name
    .type tk_doctor_rules_\name, %object
tk_doctor_rules_\name:
    .incbin "doctor/rules/\file"
    .byte 0
    .size tk_doctor_rules_\name, . - tk_doctor_rules_\name
    .endm

    queries javascript, javascript.scm
    queries go, go.scm
    queries python, python.scm
    queries java, java.scm
    queries php, php.scm
    queries csharp, csharp.scm
    queries ruby, ruby.scm
    queries toml, toml.scm
    queries yaml, yaml.scm
    .section .note.GNU-stack, "", %progbits
