import http from 'k6/http';
import { check } from 'k6';

export const options = {
  vus: 10,
  duration: '30s',
  insecureSkipTLSVerify: true,
  thresholds: { http_req_duration: ['p(95)<200'], http_req_failed: ['rate<0.01'], http_reqs: ['rate>100'] },
};

export default function () {
  check(http.get(`${__ENV.BASE_URL || 'https://localhost'}/health`), { healthy: (answer) => answer.status === 200 });
}
