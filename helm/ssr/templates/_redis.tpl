{{/* Valkey's memory. */}}

{{/* Bytes of a quantity, as "4Gi"; empty where it cannot be read. */}}
{{- define "ssr.bytes" -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $text := include "ssr.scalar" . -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- $number := trimSuffix $unit $text -}}
{{- if and (regexMatch "^[0-9]+(\\.[0-9]+)?$" $number) (hasKey $units $unit) -}}
{{- mulf (float64 $number) (get $units $unit) | floor | int64 -}}
{{- end -}}
{{- end -}}

{{/* Its maxmemory: as it is set, or three quarters of the memory limit; empty without a limit. */}}
{{- define "ssr.maxmemory" -}}
{{- if .maxmemory -}}
{{- .maxmemory -}}
{{- else -}}
{{- with dig "limits" "memory" "" .resources -}}
{{- with include "ssr.bytes" . -}}
{{- div (mul (int64 .) 3) 4 -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
