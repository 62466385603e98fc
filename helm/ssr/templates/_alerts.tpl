{{/* The alerts of alerts.yaml, of this release. */}}

{{/* What metrics of this release have: the ServiceMonitor adds "release". */}}
{{- define "ssr.ours" -}}
namespace="{{ .Release.Namespace }}", release="{{ .Release.Name }}"
{{- end -}}

{{/* A quarter of a step's time limit: engines that are away for so long will cost steps. */}}
{{- define "ssr.awayFor" -}}
{{- $own := dig "step_timeout_s" 300 (merge (dict) .Values.services.orchestrator.settings (include "ssr.wakeTimeouts" . | fromJson)) -}}
{{- max 15 (div (int $own) 4) -}}s
{{- end -}}

{{- define "ssr.alerts" -}}
{{- $root := . -}}
{{- $limits := .Values.autoscaling.settings -}}
{{- $objective := .Values.prometheusRule.objective -}}
{{- $text := .Files.Get "alerts.yaml" -}}
{{- $replaced := dict "$ours" (include "ssr.ours" .) "$draft_max" (int $limits.draft.max_replicas | toString) "$target_max" (int $limits.target.max_replicas | toString) "$away_for" (include "ssr.awayFor" .) "$slo_le" (printf "%.1f" (float64 $objective.firstAnswerSeconds)) "$slo_budget" (printf "%.4f" (subf 1.0 $objective.part)) -}}
{{- range $name, $value := $replaced -}}
{{- $text = replace $name $value $text -}}
{{- end -}}
{{- $whose := dict "namespace" .Release.Namespace "release" .Release.Name -}}
{{- $absent := list (ternary "ssr-scaling" "" (eq $root.Values.autoscaling.kind "none")) (ternary "" "ssr-gateway" $root.Values.gateway.enabled) -}}
{{- range $group := ($text | fromYaml).groups }}
{{- if not (has $group.name $absent) }}
- name: {{ $group.name }}
  rules:
    {{- range $rule := $group.rules }}
    {{- $_ := set $rule "labels" (merge dict $rule.labels $whose $root.Values.prometheusRule.alertLabels) }}
    {{- with $root.Values.prometheusRule.runbookUrl }}
    {{- $_ := set $rule "annotations" (merge (dict "runbook_url" (printf "%s#%s" . (lower $rule.alert))) $rule.annotations) }}
    {{- end }}
    - {{- toYaml $rule | nindent 6 }}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}
