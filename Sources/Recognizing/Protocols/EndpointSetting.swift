/// The variable that sends calls of `service` alone somewhere, and what it must hold here:
/// `AWS_ENDPOINT_URL_BEDROCK_AGENT=http://HOST:PORT/_aws/bedrock-agent`.
///
/// - SeeAlso: AWS SDKs and Tools Reference Guide, "Service-specific endpoints": the variable is named for the
///   service id.
func endpointSetting(_ service: String) -> String {
    let id = serviceIDs[service] ?? service
    let name = id.uppercased().map { $0 == "-" || $0 == " " ? "_" : String($0) }.joined()
    return "AWS_ENDPOINT_URL_\(name)=http://HOST:PORT/_aws/\(service)"
}

/// The ids of services that botocore's clients call otherwise (`botocore.utils`, 1.43.11).
private let serviceIDs: [String: String] = [
    "apigateway": "api-gateway", "application-autoscaling": "application-auto-scaling",
    "appmesh": "app-mesh", "autoscaling": "auto-scaling", "autoscaling-plans": "auto-scaling-plans",
    "ce": "cost-explorer", "cloudhsmv2": "cloudhsm-v2", "cloudsearchdomain": "cloudsearch-domain",
    "cognito-idp": "cognito-identity-provider", "config": "config-service",
    "cur": "cost-and-usage-report-service", "datapipeline": "data-pipeline", "devicefarm": "device-farm",
    "directconnect": "direct-connect", "discovery": "application-discovery-service",
    "dms": "database-migration-service", "ds": "directory-service", "ds-data": "directory-service-data",
    "dynamodbstreams": "dynamodb-streams", "elasticbeanstalk": "elastic-beanstalk",
    "elb": "elastic-load-balancing", "elbv2": "elastic-load-balancing-v2", "es": "elasticsearch-service",
    "events": "eventbridge", "globalaccelerator": "global-accelerator", "iot-data": "iot-data-plane",
    "iot-jobs-data": "iot-jobs-data-plane", "iotevents": "iot-events", "iotevents-data": "iot-events-data",
    "iotwireless": "iot-wireless", "kinesisanalytics": "kinesis-analytics",
    "kinesisanalyticsv2": "kinesis-analytics-v2", "kinesisvideo": "kinesis-video",
    "lex-models": "lex-model-building-service", "lex-runtime": "lex-runtime-service",
    "lexv2-models": "lex-models-v2", "lexv2-runtime": "lex-runtime-v2", "logs": "cloudwatch-logs",
    "machinelearning": "machine-learning", "marketplace-entitlement": "marketplace-entitlement-service",
    "marketplacecommerceanalytics": "marketplace-commerce-analytics",
    "meteringmarketplace": "marketplace-metering", "mgh": "migration-hub",
    "resourcegroupstaggingapi": "resource-groups-tagging-api", "route53": "route-53",
    "route53domains": "route-53-domains", "s3control": "s3-control", "sdb": "simpledb",
    "secretsmanager": "secrets-manager", "serverlessrepo": "serverlessapplicationrepository",
    "servicecatalog": "service-catalog", "servicecatalog-appregistry": "service-catalog-appregistry",
    "sms-voice": "pinpoint-sms-voice", "stepfunctions": "sfn", "storagegateway": "storage-gateway",
]
