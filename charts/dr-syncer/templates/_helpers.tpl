{{- define "dr-syncer.place" -}}
{{- if ne .Release.Namespace "dr-syncer-system" -}}
{{- fail "install this chart in the namespace dr-syncer-system: agents and keys of both clusters are looked for there" -}}
{{- end -}}
{{- end -}}

{{- /* Ports for names: OpenShift's DNS pods listen on 5353. */ -}}
{{- define "dr-syncer.dns" -}}
- ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
    - { protocol: UDP, port: 5353 }
    - { protocol: TCP, port: 5353 }
{{- end -}}
